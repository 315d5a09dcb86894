"""Operator pages of content: home blocks, notices, agreements."""

from __future__ import annotations

from typing import Any

from flask import redirect, render_template, request

from app.content import queries, service
from app.content.blocks import KINDS, SOURCES
from app.content.forms import AgreementForm, BlockForm, NewBlockForm, NoticeForm
from app.core.errors import Invalid
from app.core.tx import transaction
from app.web import access
from app.web.flash import flash
from app.web.surfaces import needs, surface_blueprint

bp = surface_blueprint("operator", "content")


@bp.get("/content")
@needs("content.edit")
def index() -> str:
    """Show home blocks and notices."""
    return _index(NewBlockForm())


def _index(form: NewBlockForm) -> str:
    notices = queries.list_notices(request.args.get("cursor", ""), only_published=False)
    return render_template(
        "content/operator/index.html", blocks=queries.list_blocks(), notices=notices, kinds=KINDS,
        sources=SOURCES, form=form, versions=queries.versions_in_force(), agreements=service.AGREEMENTS,
    )  # fmt: skip


@bp.post("/content/defaults")
@needs("content.edit")
def write_defaults() -> Any:
    """Write the default blocks so that they can be edited."""
    with transaction():
        written = service.ensure_blocks()
    queries.forget_home()
    flash("已生成默认首页区块" if written else "首页区块已存在", "ok" if written else "info")
    return redirect("/operator/content", 303)


@bp.post("/content/blocks")
@needs("content.edit")
def add_block() -> Any:
    """Add a home block."""
    form = NewBlockForm.from_request()
    if form.kind.data == "products" and form.source.data == "tag" and not form.tag.data:
        form.validate()
        form.add_error(Invalid("block.tag", "按标签取商品时请填写标签", field="tag"))
        return _index(form), 422
    if not form.validate():
        return _index(form), 422
    data = {"source": form.source.data, "tag": form.tag.data or "", "size": 6} if form.kind.data == "products" else {}
    with transaction():
        service.add_block(access.actor(), form.kind.data, form.title.data, data)
    queries.forget_home()
    flash("区块已添加")
    return redirect("/operator/content", 303)


@bp.post("/content/blocks/<int:block_id>")
@needs("content.edit")
def edit_block(block_id: int) -> Any:
    """Change a block in its row."""
    form = BlockForm.from_request()
    if not form.validate():
        flash("；".join(message for _, message in form.problems()), "bad")
        return redirect("/operator/content", 303)
    with transaction():
        service.edit_block(
            access.actor(),
            block_id,
            title=form.title.data,
            sort=form.sort.data,
            is_visible=form.is_visible.data,
        )
    queries.forget_home()
    flash("区块已保存")
    return redirect("/operator/content", 303)


@bp.get("/content/notices/new")
@needs("content.edit")
def new_notice() -> str:
    """Show an empty notice form."""
    return render_template("content/operator/notice.html", form=NoticeForm(), notice=None)


@bp.post("/content/notices")
@needs("content.edit")
def create_notice() -> Any:
    """Save a draft."""
    form = NoticeForm.from_request()
    if not form.validate():
        return render_template("content/operator/notice.html", form=form, notice=None), 422
    with transaction():
        notice_id = service.draft_notice(access.actor(), title=form.title.data, body=form.body.data).id
    flash("公告已存为草稿")
    return redirect(f"/operator/content/notices/{notice_id}", 303)


@bp.get("/content/notices/<int:notice_id>")
@needs("content.edit")
def notice(notice_id: int) -> str:
    """Show a notice for editing."""
    found = queries.get_any_notice(notice_id)
    form = NoticeForm(title=found.title, body=found.body)
    return render_template("content/operator/notice.html", form=form, notice=found)


@bp.post("/content/notices/<int:notice_id>")
@needs("content.edit")
def edit_notice(notice_id: int) -> Any:
    """Save a notice."""
    form = NoticeForm.from_request()
    if not form.validate():
        found = queries.get_any_notice(notice_id)
        return render_template("content/operator/notice.html", form=form, notice=found), 422
    with transaction():
        service.edit_notice(access.actor(), notice_id, title=form.title.data, body=form.body.data)
    flash("公告已保存")
    return redirect(f"/operator/content/notices/{notice_id}", 303)


@bp.post("/content/notices/<int:notice_id>/publish")
@needs("content.edit")
def publish_notice(notice_id: int) -> Any:
    """Publish a notice."""
    with transaction():
        service.publish_notice(access.actor(), notice_id)
    queries.forget_home()
    flash("公告已发布")
    return redirect("/operator/content", 303)


@bp.post("/content/notices/<int:notice_id>/withdraw")
@needs("content.edit")
def withdraw_notice(notice_id: int) -> Any:
    """Withdraw a notice."""
    with transaction():
        service.withdraw_notice(access.actor(), notice_id)
    queries.forget_home()
    flash("公告已撤回")
    return redirect("/operator/content", 303)


@bp.get("/content/agreements/new")
@needs("content.edit")
def new_agreement() -> str:
    """Show the form of the next version of an agreement, filled with the one in force."""
    code = request.args.get("code", "terms")
    current = next(iter(queries.list_versions(code)), None)
    form = AgreementForm(code=code, title=current.title if current else "", body=current.body if current else "")
    return render_template("content/operator/agreement.html", form=form, current=current)


@bp.post("/content/agreements")
@needs("content.edit")
def publish_agreement() -> Any:
    """Publish the next version of an agreement."""
    form = AgreementForm.from_request()
    if not form.validate():
        return render_template("content/operator/agreement.html", form=form, current=None), 422
    with transaction():
        found = service.publish_agreement(access.actor(), form.code.data, title=form.title.data, body=form.body.data)
        version = found.version
    flash(f"协议已发布为第 {version} 版")
    return redirect("/operator/content", 303)
