"""What we ask of and return to a PACS.

``survey`` finds what can be sent, ``send`` sends it by C-STORE, ``echo`` asks whether anybody is
there, ``offer`` what they take, ``commitment_request`` whether they keep it, and ``commitment``
tells others what we keep. ``peer`` opens the associations of all.
"""
