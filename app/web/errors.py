"""One renderer of errors per kind of client: page, htmx fragment, JSON problem (RFC 9457)."""

from __future__ import annotations

from urllib.parse import urlsplit

import structlog
from flask import Flask, Response, g, jsonify, make_response, render_template, request
from werkzeug.exceptions import HTTPException

from app.core.errors import AppError
from app.web import access
from dbadapters.errors import DbError

log = structlog.get_logger("regionmart.web")
_TITLES = {
    400: "请求有误", 401: "请先登录", 403: "没有权限", 404: "找不到页面", 405: "请求方式不支持", 409: "状态已变化",
    413: "文件太大", 422: "提交的内容有误", 429: "操作太频繁", 500: "系统出错了", 502: "外部通道暂不可用", 503: "系统繁忙",
}  # fmt: skip
_ADVICE = {
    403: "如需开通，请联系本单位的安全管理员授权。", 404: "它可能已被删除，或链接有误。", 409: "请刷新页面，查看最新状态后再操作。",
    429: "请稍等片刻再试。", 500: "我们已记录此错误，请稍后再试；仍有问题请把请求编号告诉客服。", 503: "请稍后再试。",
}  # fmt: skip


def _wants_json() -> bool:
    return access.current_surface().key == "openapi" or request.accept_mimetypes.best == "application/json"


def _previous() -> str:
    """Return the page of ours the visitor came from, '' when there is none; never another site's address."""
    came = urlsplit(request.referrer or "")
    if came.netloc != request.host or came.path == request.path or not came.path.startswith("/"):
        return ""
    return access.safe_next(came.path + (f"?{came.query}" if came.query else ""), "")


def render_error(status: int, code: str, message: str) -> Response:
    """Return the error in the client's form; nothing internal is shown."""
    request_id = g.get("request_id", "-")
    if _wants_json():
        body = {"type": "about:blank", "title": _TITLES.get(status, "错误"), "status": status, "code": code}
        response = jsonify({**body, "detail": message, "request_id": request_id})
        response.mimetype = "application/problem+json"
        response.status_code = status
        return response
    surface = access.current_surface()
    shown = {
        "code": status, "title": _TITLES.get(status, "出错了"), "message": message, "advice": _ADVICE.get(status, "请检查后重试。"),
        "request_id": request_id, "contact": "", "back_href": surface.prefix + "/", "previous": _previous(),
    }  # fmt: skip
    html = render_template("errors/error.html", error=shown, layout="layouts/auth.html")
    return make_response(html, status)


def install(app: Flask) -> None:
    """Register the handlers on the application."""

    @app.errorhandler(AppError)
    def on_app_error(error: AppError) -> Response:
        log.info("request.refused", code=error.code, status=error.status)
        return render_error(error.status, error.code, error.message)

    @app.errorhandler(HTTPException)
    def on_http_error(error: HTTPException) -> Response:
        status = error.code or 500
        return render_error(status, f"http.{status}", _TITLES.get(status, error.name))

    @app.errorhandler(DbError)
    def on_db_error(error: DbError) -> Response:
        log.exception("request.db_failed", code=str(error.code))
        status = 503 if error.retryable else 500
        return render_error(status, "database.busy" if status == 503 else "server.error", _TITLES[status])

    @app.errorhandler(Exception)
    def on_unexpected(error: Exception) -> Response:
        log.exception("request.failed", error=type(error).__name__)
        return render_error(500, "server.error", "系统出错了")
