"""Notices and agreements of the demo region."""

from __future__ import annotations

from sqlalchemy import select

from app.content import service
from app.content.models import Agreement, Notice
from app.core.actor import SYSTEM
from app.core.db import session

NOTICES = (
    ("青禾脐橙开园采摘", "青禾县万亩脐橙进入采摘期，产地直发，坏损包赔。每箱附检测报告编号，可在商品页查看。"),
    ("冬季配送时效说明", "山区县（云屏、石岭、松涛）冬季路面结冰时配送可能延后一天，请以物流轨迹为准。"),
    ("入驻商家首年免技术服务费", "本地企业与合作社入驻平台，首年免收技术服务费。申请入口见商家中心。"),
)  # fmt: skip
AGREEMENTS = (
    ("terms", "用户协议", "欢迎使用本平台。平台由澜州市商务主管部门指导建设（演示文本）。下单即与商家成立买卖合同，平台保存交易记录不少于三年。"),
    ("privacy", "隐私政策", "我们只收集完成交易所必需的信息：手机号、收货地址与订单记录。手机号与地址以国密 SM4 加密保存，数据不出本区域。您可以查看、导出和删除。"),
    ("trading", "交易规则", "未付款订单保留 30 分钟；商家须在 48 小时内发货；签收 7 日后自动确认收货；生鲜坏损请在签收当日提交照片。"),
)  # fmt: skip


def load() -> None:
    """Publish what is missing."""
    service.ensure_blocks()
    known = set(session.scalars(select(Notice.title)))
    for title, body in NOTICES:
        if title not in known:
            notice = service.draft_notice(SYSTEM, title=title, body=body)
            session.flush()  # publishing moves the row
            service.publish_notice(SYSTEM, notice.id)
    codes = set(session.scalars(select(Agreement.code)))
    for code, title, body in AGREEMENTS:
        if code not in codes:
            service.publish_agreement(SYSTEM, code=code, title=title, body=body)
