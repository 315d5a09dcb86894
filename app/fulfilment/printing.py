"""The merchant's papers: pages for the browser's printer and PDF of the same; every print is logged (M12)."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from flask import Response, render_template, request

from app.core import clock
from app.core.actor import Actor
from app.core.tx import transaction
from app.fulfilment import papers, queries, service, states
from app.fulfilment.carriers import CARRIERS
from app.fulfilment.models import Parcel
from app.identity import queries as identity
from app.merchants import queries as merchants
from app.orders import queries as orders
from app.orders.models import Order
from app.web import access


def wants_pdf() -> bool:
    """Tell whether the pressed button asks for a PDF."""
    return request.form.get("format") == "pdf"


def pdf(body: bytes, name: str) -> Response:
    """Answer with a PDF that opens in the browser."""
    answer = Response(body, content_type="application/pdf")
    answer.headers["Content-Disposition"] = f"inline; filename*=UTF-8''{quote(name)}.pdf"
    return answer


def label_of(actor: Actor, parcel: Parcel, seq: int) -> papers.Label:
    """Return what a parcel's label says."""
    order = orders.get_for(actor, parcel.order_id)
    receiver, shop = orders.receiver_of(order), merchants.get_merchant(parcel.merchant_id)
    lines = {line.id: line for line in orders.lines_of([order.id])[order.id]}
    held = queries.contents_of([parcel.id])[parcel.id] or {line.id: line.quantity for line in lines.values()}
    marks = [states.TEMPERATURES[parcel.temperature]] if parcel.temperature in states.LIMITS else []
    marks += [f"补打第 {seq - 1} 次"] if seq > 1 else []
    return papers.Label(
        carrier=CARRIERS.get(parcel.carrier, parcel.carrier), number=parcel.tracking_no, receiver=receiver.name,
        phone=receiver.phone, address=f"{identity.area_name(order.area_code)} {receiver.street}",
        sender=f"{shop.shop_name} {identity.area_name(shop.area_code)} {shop.street}", order_no=order.order_no,
        contents="；".join(f"{lines[i].title} × {n}" for i, n in held.items() if i in lines), marks=tuple(marks),
        route=identity.area_name(order.area_code),
    )  # fmt: skip


def label(parcel_id: int) -> Any:
    """Log and answer a parcel's label, as a page or as PDF of the size asked for."""
    actor = access.actor()
    parcel = queries.get_parcel(actor, parcel_id)
    with transaction():
        seq = service.log_print(actor, "label", parcel_id, parcel.merchant_id)
    made = label_of(actor, queries.get_parcel(actor, parcel_id), seq)
    size = request.form.get("size", "100x150")
    size = size if size in papers.SIZES else "100x150"
    if wants_pdf():
        return pdf(papers.labels_pdf([made], size), f"面单-{made.number}")
    return render_template(
        "fulfilment/print/label.html", label=made, size=size, sizes=papers.SIZES, bar=papers.code128_svg(made.number),
        qr=papers.qr_svg(made.number), parcel_id=parcel_id, paper="label", seq=seq,
    )  # fmt: skip


def _slip_rows(order: Order, held: dict[int, int]) -> list[papers.Row]:
    lines = orders.lines_of([order.id])[order.id]
    return [
        papers.Row("", line.title, line.option_key if line.option_key != "-" else "", held.get(line.id, line.quantity))
        for line in lines if line.id in held or not held
    ]  # fmt: skip


def slip(parcel_id: int) -> Any:
    """Log and answer a parcel's packing slip: what is in it, without prices."""
    actor = access.actor()
    parcel = queries.get_parcel(actor, parcel_id)
    with transaction():
        seq = service.log_print(actor, "slip", parcel_id, parcel.merchant_id)
    order = orders.get_for(actor, queries.get_parcel(actor, parcel_id).order_id)
    rows = _slip_rows(order, queries.contents_of([parcel_id])[parcel_id])
    if wants_pdf():
        head = [f"订单 {order.order_no}", f"收货 {order.receiver_mask}", f"打印 {clock.now().astimezone(clock.REGION_TZ):%Y-%m-%d %H:%M}"]
        cells = [[row.title, row.option, str(row.quantity)] for row in rows]
        return pdf(papers.sheet_pdf("装箱单", head, papers.SLIP_COLUMNS, cells, order.order_no), f"装箱单-{order.order_no}")
    return render_template(
        "fulfilment/print/slip.html", order=order, rows=rows, bar=papers.code128_svg(order.order_no), seq=seq,
        action=f"/merchant/parcels/{parcel_id}/slip",
    )  # fmt: skip


def pick(order_id: int) -> Any:
    """Log and answer the pick list of what waits of an order."""
    actor = access.actor()
    order = orders.get_for(actor, order_id)
    with transaction():
        seq = service.log_print(actor, "pick", order_id, order.merchant_id)
    order = orders.get_for(actor, order_id)
    rows = queries.pick_rows([order])
    head = [f"订单 {order.order_no}", f"留言 {order.buyer_note or '—'}"]
    return sheet("拣货单", head, rows, order.order_no, f"/merchant/orders/{order_id}/pick", seq)


def sheet(title: str, head: list[str], rows: list[papers.Row], code: str, action: str, seq: int) -> Any:
    """Answer a pick list as page or PDF."""
    head = [*head, f"打印 {clock.now().astimezone(clock.REGION_TZ):%Y-%m-%d %H:%M}" + (f"（补打第 {seq - 1} 次）" if seq > 1 else "")]
    if wants_pdf():
        return pdf(papers.sheet_pdf(title, head, papers.PICK_COLUMNS, papers.as_rows(rows), code), f"{title}-{code}")
    return render_template(
        "fulfilment/print/pick.html", title=title, head=head, rows=rows, bar=papers.code128_svg(code), action=action, seq=seq
    )
