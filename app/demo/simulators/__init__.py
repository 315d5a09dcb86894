"""Stand-ins of the payment channels, as processes of their own: they speak the channels' documented protocols over HTTP.

They verify what we sign and sign what they answer. Nothing here is shared with the clients but the cryptographic primitives, so that
an error of a client is not mirrored. Only for demo and tests.
"""
