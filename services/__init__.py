"""The five services. Each is an island: none imports another (an import contract holds it)."""
