"""A consumer's sign-in, personal centre and addresses (C15 C16 C17)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import redirect, render_template, request, url_for

from app.core import runtime
from app.core.errors import AppError
from app.core.tx import transaction
from app.identity import address_text, queries, service
from app.identity.forms import AddressForm, CodeForm, PhoneForm
from app.web import access, figures
from app.web.flash import flash
from app.web.surfaces import needs, public, signed_in, surface_blueprint

bp = surface_blueprint("storefront", "identity")


@bp.get("/sign-in")
@public("sign-in page")
def sign_in() -> Any:
    """Ask for the phone number."""
    target = access.safe_next(request.args.get("next"), "/me")
    if access.actor().realm != "guest":
        return redirect(target, 303)
    return render_template("identity/storefront/phone.html", form=PhoneForm(), next=target)


@bp.post("/sign-in")
@public("sign-in page")
def send_code() -> Any:
    """Send a code and ask for it; the development sender shows it on the page."""
    form, target = PhoneForm.from_request(), access.safe_next(request.form.get("next"), "/me")
    shown = ""
    try:
        if not form.validate():
            return render_template("identity/storefront/phone.html", form=form, next=target), 422
        with transaction():
            _, code = service.request_code(form.phone.data, access.client_address(), device=request.cookies.get("rm_seed", ""))
        shown = code if runtime.current().settings.sms.channel == "development" else ""
    except AppError as error:
        form.add_error(error)
        if error.code != "sms.too_soon":
            return render_template("identity/storefront/phone.html", form=form, next=target), error.status
        flash(error.message, "warn")
    code_form = CodeForm(phone=form.phone.data)
    return render_template("identity/storefront/code.html", form=code_form, next=target, shown=shown)


@bp.post("/sign-in/code")
@public("sign-in page")
def submit_code() -> Any:
    """Check the code; a new phone is registered once the agreements are ticked."""
    form, target = CodeForm.from_request(), access.safe_next(request.form.get("next"), "/me")

    def again(status: int) -> Any:
        return render_template("identity/storefront/code.html", form=form, next=target, shown=""), status

    if not form.validate():
        return again(422)
    try:
        with transaction():  # a refusal after a right code rolls back, so the code can still be used
            if not service.check_code(form.phone.data, form.code.data):
                opened = None
            else:
                opened = service.sign_in_with_code(
                    form.phone.data, address=access.client_address(), agent=request.user_agent.string,
                    guest_token=request.cookies.get("rm_cart", ""), agreed=bool(form.agreed.data),
                )  # fmt: skip
    except AppError as error:
        form.add_error(error)
        return again(error.status)
    if opened is None:
        form.code.errors = ["验证码不正确或已过期，请重新获取"]
        return again(422)
    token, account = opened
    response = redirect(target, 303)
    access.set_session_cookie(response, "storefront", token, queries.idle_and_absolute("storefront")[1])  # type: ignore[arg-type]
    flash(f"欢迎，{account.display_name}")
    return response


@bp.post("/sign-out")
@signed_in("everybody may leave")
def sign_out() -> Any:
    """End the session."""
    with transaction():
        service.sign_out(access.actor())
    response = redirect("/", 303)
    access.clear_session_cookie(response, "storefront")  # type: ignore[arg-type]
    response.delete_cookie("rm_cart_n", path="/")
    return response


@bp.get("/me")
@needs("account.own")
def me() -> str:
    """Show the personal centre; what other domains keep for the buyer comes through their figures."""
    actor = access.actor()
    kept = queries.list_addresses(actor.account_id)
    phone = queries.phone_of(queries.get_account(actor.account_id))
    return render_template(
        "identity/storefront/me.html", tab="me", phone=phone, address=next(iter(kept), None), address_count=len(kept),
        assets=figures.show("me", actor), orders=figures.show("me.orders", actor),
    )  # fmt: skip


@bp.get("/me/addresses")
@needs("account.own")
def addresses() -> str:
    """List the addresses with a form for a new one; a pasted text fills the form."""
    return _address_page(AddressForm())


@bp.post("/me/addresses/paste")
@needs("account.own")
def paste_address() -> str:
    """Take a pasted address apart and show it in the form for the buyer to check; nothing is stored."""
    text = request.form.get("text", "")
    found = address_text.parse(text, [(a.code, a.name) for a in queries.list_areas()])
    form = AddressForm(receiver=found.receiver, phone=found.phone, area_code=found.area_code, street=found.street)
    if not (found.phone or found.street):
        flash("没有识别出地址，请手工填写", "warn")
    return _address_page(form, pasted=text[:500])


@bp.post("/me/addresses")
@needs("account.own")
def add_address() -> Any:
    """Add an address and go where the buyer came from."""
    form = AddressForm.from_request()
    if _saved(form, lambda fields: service.add_address(access.actor(), **fields)):
        flash("地址已保存")
        return redirect(access.safe_next(request.form.get("next"), url_for(".addresses")), 303)
    return _address_page(form), 422


@bp.route("/me/addresses/<int:address_id>", methods=["GET", "POST"])
@needs("account.own")
def edit_address(address_id: int) -> Any:
    """Change an address."""
    row = queries.get_address(access.actor().account_id, address_id)
    form = AddressForm.from_request(
        receiver=row.receiver, phone=row.phone, area_code=row.area_code, street=row.street, is_default=row.is_default
    )
    if request.method == "POST" and _saved(form, lambda fields: service.edit_address(access.actor(), address_id, **fields)):
        flash("地址已保存")
        return redirect(url_for(".addresses"), 303)
    form.area_code.choices = _area_choices()
    status = 422 if request.method == "POST" else 200
    return render_template("identity/storefront/address.html", form=form, tab="me", address_id=address_id), status


def _area_choices() -> list[tuple[str, str]]:
    return [("", "请选择"), *((a.code, a.name) for a in queries.list_areas())]


def _saved(form: AddressForm, save: Callable[[dict[str, Any]], Any]) -> bool:
    """Run a verb with the form's fields in a transaction; False leaves the reasons in the form."""
    if not form.validate():
        return False
    fields = {
        "receiver": form.receiver.data, "phone": form.phone.data, "street": form.street.data,
        "area_code": form.area_code.data or "", "is_default": bool(form.is_default.data),
    }  # fmt: skip
    try:
        with transaction():
            save(fields)
    except AppError as error:
        form.add_error(error)
        return False
    return True


def _address_page(form: AddressForm, pasted: str = "") -> str:
    form.area_code.choices = _area_choices()
    return render_template(
        "identity/storefront/addresses.html", form=form, tab="me", next=access.safe_next(request.values.get("next"), ""), pasted=pasted,
        addresses=queries.list_addresses(access.actor().account_id),
    )  # fmt: skip


@bp.post("/me/addresses/<int:address_id>/default")
@needs("account.own")
def make_default(address_id: int) -> Any:
    """Make an address the default one."""
    with transaction():
        service.make_default(access.actor(), address_id)
    flash("默认地址已更新")
    return redirect(url_for(".addresses"), 303)


@bp.post("/me/addresses/<int:address_id>/remove")
@needs("account.own")
def remove_address(address_id: int) -> Any:
    """Remove an address."""
    with transaction():
        service.remove_address(access.actor(), address_id)
    flash("地址已删除")
    return redirect(url_for(".addresses"), 303)
