"""The channel's callback."""

from __future__ import annotations

from flask import Response, jsonify, request

from app.payments import channels, delivery
from app.web.surfaces import csrf_exempt, public, surface_blueprint

bp = surface_blueprint("openapi", "payments")


@bp.post("/payments/<channel>/notices")
@public("payment channels call it; the body's signature is checked before anything is stored")
@csrf_exempt("channel signature over the exact body")
def notify(channel: str) -> Response:
    """Take a channel's notice: commit the receipt, then apply it. Repeats answer the same, in the channel's own words."""
    body = request.get_data(cache=False)
    headers = {name.lower(): value for name, value in request.headers.items()}
    outcome = delivery.take(channel, headers, body)
    if channel == channels.SIMULATOR:
        return jsonify(code="SUCCESS", outcome=outcome)
    status, kind, text = channels.get(channel).reply(accepted=True)
    return Response(text, status=status, content_type=kind)
