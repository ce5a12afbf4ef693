"""Changed e-mail addresses: one that staff wrote proves nothing until the person says yes, or was told and had time."""
