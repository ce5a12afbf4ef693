"""audit: owns the log, its proofs and its search index. Publishes `kept.audit.*`: who searched, what was shredded.

It keeps P3 (every event is in the log, once, in order, provably) and its part of P2 (what it sealed for a person is shredded).
"""
