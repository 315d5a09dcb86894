"""Pages of the system and security administrators."""

from __future__ import annotations

from typing import Any

from flask import redirect, render_template, request, url_for

from app.core import permissions
from app.core.errors import AppError, Invalid
from app.core.tx import transaction
from app.identity import queries, service
from app.identity.forms import AccountForm, CountersignedForm, ResetForm
from app.identity.sign_in import console_blueprint
from app.web import access
from app.web.flash import flash
from app.web.surfaces import SURFACES, needs, signed_in

bp = console_blueprint("security")
REALMS = {"": "全部", "consumer": "消费者", "merchant": "商家", "operator": "运营", "government": "监管", "security": "三员"}


@bp.get("/")
@signed_in("each administrator's own start page")
def home() -> Any:
    """Go to the first page this administrator may open."""
    who = access.actor()
    for permission, target in (
        ("audit.view", "/security/audit"), ("account.manage", "/security/accounts"), ("role.view", "/security/roles"),
    ):  # fmt: skip
        if who.can(permission):
            return redirect(target, 303)
    return redirect("/security/password", 303)


@bp.get("/accounts")
@needs("account.view")
def accounts() -> str:
    """List accounts by realm."""
    realm = request.args.get("realm", "")
    page = queries.list_accounts(realm if realm in REALMS else "", request.args.get("cursor", ""))
    return render_template(
        "identity/security/accounts.html", page=page, realm=realm, realms=REALMS, phone_of=queries.phone_of,
        is_locked=queries.is_locked,
    )  # fmt: skip


@bp.route("/accounts/new", methods=["GET", "POST"])
@needs("account.manage")
def new_account() -> Any:
    """Create an account of a console."""
    form = AccountForm.from_request()
    if request.method == "POST" and form.validate():
        realm, _, role = form.role.data.partition("/")
        try:
            beside = _countersigned(realm, form)
            with transaction():
                service.create_account(
                    access.actor(), realm, form.login_name.data, form.display_name.data, password=form.password.data,
                    roles=(role,), must_change=True, countersigned_by=beside,
                )  # fmt: skip
        except AppError as error:
            form.add_error(error)
        else:
            flash(f"账号 {form.login_name.data} 已创建")
            return redirect(url_for(".accounts"), 303)
    return render_template("identity/security/new_account.html", form=form), 422 if request.method == "POST" else 200


def _countersigned(realm: str, form: CountersignedForm) -> int:
    """Return who stands beside the actor, 0 when nobody is needed or the fields are empty; in a transaction of its own.

    Raises Invalid(`account.countersign`) when login name or password are wrong, or the account is no security administrator's.
    """
    if realm != "security" or not (form.approver_login.data and form.approver_password.data):
        return 0
    with transaction():  # a wrong password stays counted whatever becomes of the request
        beside = service.countersign(access.actor(), form.approver_login.data, form.approver_password.data)
    if not beside:
        raise Invalid("account.countersign", "复核未通过：登录名或口令不正确，或该账号不是可用的安全管理员", field="approver_login")
    return beside


@bp.post("/accounts/<int:account_id>/status")
@needs("account.manage")
def set_status(account_id: int) -> Any:
    """Disable or enable an account."""
    with transaction():
        service.set_status(access.actor(), account_id, request.form.get("status", ""))
    flash("账号状态已更新")
    return redirect(url_for(".accounts"), 303)


@bp.route("/accounts/<int:account_id>/password", methods=["GET", "POST"])
@needs("account.manage")
def reset_password(account_id: int) -> Any:
    """Give a console account a temporary password."""
    account, form = queries.get_account(account_id), ResetForm.from_request()
    if request.method == "POST" and form.validate():
        try:
            beside = _countersigned(account.realm, form)
            with transaction():
                service.reset_password(access.actor(), account_id, form.password.data, countersigned_by=beside)
        except AppError as error:
            form.add_error(error)
        else:
            flash(f"账号 {account.login_name} 的口令已重置，下次登录须修改")
            return redirect(url_for(".accounts"), 303)
    status = 422 if request.method == "POST" else 200
    return render_template("identity/security/reset.html", form=form, account=account, realms=REALMS), status


@bp.get("/roles")
@needs("role.view")
def roles() -> str:
    """Show roles and their permissions."""
    return render_template(
        "identity/security/roles.html", roles=queries.list_roles(), meanings=permissions.known(), realms=REALMS
    )


@bp.get("/sessions")
@needs("session.view")
def sessions() -> str:
    """List live sessions."""
    page = queries.list_sessions(request.args.get("cursor", ""))
    return render_template("identity/security/sessions.html", page=page, surfaces=SURFACES)


@bp.post("/sessions/<int:session_id>/revoke")
@needs("session.view")
def revoke(session_id: int) -> Any:
    """End a session."""
    with transaction():
        service.revoke_session(access.actor(), session_id)
    flash("会话已终止")
    return redirect(url_for(".sessions"), 303)
