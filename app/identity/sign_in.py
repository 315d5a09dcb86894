"""Sign-in and sign-out of the four consoles: one set of views, bound to each surface's blueprint."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, redirect, render_template, request

from app.core.errors import AppError
from app.core.tx import transaction
from app.identity import queries, service
from app.identity.forms import PasswordChangeForm, PasswordForm
from app.web import access
from app.web.flash import flash
from app.web.surfaces import SURFACES, public, signed_in, surface_blueprint


def console_blueprint(surface: str) -> Blueprint:
    """Return a console surface's blueprint with its sign-in and sign-out."""
    bp = surface_blueprint(surface, "identity")
    spec = SURFACES[surface]

    def page(form: PasswordForm, status: int = 200) -> Any:
        html = render_template(
            "identity/sign_in.html", form=form, auth_surface=spec.title, next=request.values.get("next", ""),
            action=spec.sign_in,
        )  # fmt: skip
        return html, status

    @bp.get("/sign-in")
    @public("sign-in page")
    def sign_in() -> Any:
        """Show the sign-in form; a signed-in account goes on."""
        home = access.safe_next(request.args.get("next"), spec.prefix + "/")
        return page(PasswordForm()) if access.actor().realm == "guest" else redirect(home, 303)

    @bp.post("/sign-in")
    @public("sign-in page")
    def submit() -> Any:
        """Check the password; every refusal reads the same."""
        form = PasswordForm.from_request()
        if not form.validate():
            return page(form, 422)
        with transaction():
            token, account = service.sign_in_with_password(
                surface, spec.realm, form.login_name.data, form.password.data, address=access.client_address(),
                agent=request.user_agent.string,
            )  # fmt: skip
        if token is None or account is None:
            form.form_errors.append("登录名或口令不正确，或账号已被锁定；连续输错会暂时锁定账号")
            return page(form, 422)
        target = access.safe_next(request.form.get("next"), spec.prefix + "/")
        response = redirect(spec.prefix + "/password" if account.must_change else target, 303)
        access.set_session_cookie(response, surface, token, queries.idle_and_absolute(surface)[1])  # type: ignore[arg-type]
        return response

    @bp.post("/sign-out")
    @signed_in("everybody may leave")
    def sign_out() -> Any:
        """End the session."""
        with transaction():
            service.sign_out(access.actor())
        flash("您已退出登录", "info")
        response = redirect(spec.sign_in, 303)
        access.clear_session_cookie(response, surface)  # type: ignore[arg-type]
        return response

    @bp.route("/password", methods=["GET", "POST"])
    @signed_in("one's own password")
    def password() -> Any:
        """Change one's own password."""
        form = PasswordChangeForm.from_request()
        if request.method == "POST" and form.validate():
            try:
                with transaction():
                    service.change_password(access.actor(), form.current.data, form.password.data)
            except AppError as error:
                form.add_error(error)
            else:
                flash("口令已修改，其他设备上的登录已退出")
                return redirect(spec.prefix + "/", 303)
        status = 422 if request.method == "POST" else 200
        return render_template(
            "identity/password.html", form=form, auth_surface=spec.title, action=spec.prefix + "/password", home=spec.prefix + "/"
        ), status

    return bp
