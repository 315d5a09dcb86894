"""Pushes of the carriers."""

from __future__ import annotations

from flask import Response, request

from app.core.errors import Invalid, NotFound
from app.fulfilment import adapters
from app.fulfilment.service import waybills
from app.web.surfaces import csrf_exempt, public, surface_blueprint

bp = surface_blueprint("openapi", "fulfilment")


@bp.post("/carriers/<carrier>/pushes")
@public("carriers push scans here; the signature is checked before anything is stored")
@csrf_exempt("carrier signature over the exact body")
def push(carrier: str) -> Response:
    """Keep a carrier's push and answer in its own words; a repeat is answered the same and changes nothing."""
    headers = {name.lower(): value for name, value in request.headers.items() if name.lower().startswith("x-")}
    received = adapters.Push(headers, dict(request.args), request.get_data(cache=False))
    try:
        waybills.take_push(carrier, received)
    except NotFound:
        return Response("unknown carrier", status=404, content_type="text/plain")
    except Invalid as error:
        return Response(error.code, status=401 if isinstance(error, adapters.BadSignature) else 400, content_type="text/plain")
    kind, body = adapters.get(carrier).accepted()
    return Response(body, content_type=kind)
