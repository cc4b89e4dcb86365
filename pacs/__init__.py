"""What we ask of and return to a PACS.

``survey`` finds what can be sent, ``send`` sends it by C-STORE, ``echo`` asks whether anybody is
there, and ``peer`` opens the associations of both.
"""
