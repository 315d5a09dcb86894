"""The one frozen settings tree; every field has a type, a unit where it has one, and a description."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr

Surface = Literal["storefront", "merchant", "operator", "government", "security", "openapi"]
ALL_SURFACES: tuple[Surface, ...] = ("storefront", "merchant", "operator", "government", "security", "openapi")
DEMO_SIMULATOR_SECRET = "demo-simulator-secret"  # noqa: S105 - refused in production by `check`


class Group(BaseModel):
    """Base of all groups: frozen, unknown keys are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Server(Group):
    """Web server."""

    host: str = Field("127.0.0.1", description="监听地址")
    port: int = Field(8000, ge=1, le=65_535, description="监听端口")
    workers: int = Field(1, ge=1, le=64, description="网站进程数（SQLite 建议 1）")
    threads: int = Field(8, ge=1, le=64, description="每个进程的线程数")
    proxy_count: int = Field(0, ge=0, le=5, description="前置反向代理层数；0 表示直连，来源地址取 TCP 对端")


class Database(Group):
    """Database."""

    url: str = Field("", description="数据库地址；空为 {home}/regionmart.db（SQLite）")
    pool_size: int = Field(8, ge=1, le=100, description="连接池大小（每进程）")


class Security(Group):
    """Sessions, passwords, keys."""

    session_idle_s: int = Field(1_800, ge=60, description="管理端会话空闲超时（秒）")
    session_absolute_s: int = Field(28_800, ge=300, description="管理端会话最长时间（秒）")
    consumer_idle_s: int = Field(1_209_600, ge=300, description="消费者会话空闲超时（秒）")
    consumer_absolute_s: int = Field(7_776_000, ge=300, description="消费者会话最长时间（秒）")
    password_iterations: int = Field(600_000, ge=10_000, description="口令散列 PBKDF2-HMAC-SM3 迭代次数")
    lockout_failures: int = Field(5, ge=3, le=20, description="连续失败多少次后锁定账号")
    lockout_s: int = Field(900, ge=60, description="锁定时长（秒）")
    cookie_secure: bool = Field(False, description="Cookie 仅经 HTTPS 发送（生产必须为 true）")
    keyring_passphrase: SecretStr | None = Field(None, description="密钥文件口令（建议放 secrets 目录）")


class Trade(Group):
    """Cart and order timers."""

    unpaid_order_ttl_s: int = Field(1_800, ge=60, description="未付款订单保留时间（秒）")
    cart_ttl_s: int = Field(604_800, ge=3_600, description="购物车保留时间（秒）")
    auto_confirm_after_days: int = Field(7, ge=1, description="签收后自动确认收货（天）")
    auto_confirm_shipped_days: int = Field(10, ge=1, description="无签收信息时发货后自动确认（天）")
    max_open_unpaid: int = Field(5, ge=1, description="每人同时未付款的订单数上限")
    invoice_request_days: int = Field(90, ge=1, description="订单完成后多少天内可以申请发票")
    ship_sla_h: int = Field(48, ge=1, description="发货时限（小时）")
    delivery_days: int = Field(2, ge=0, le=30, description="没有承诺到达日时按发货后几天送达计算，用于批次效期（天）")


class Sms(Group):
    """Short messages."""

    channel: Literal["development"] = Field("development", description="短信通道：development 在页面显示验证码")
    codes_per_phone_day: int = Field(20, ge=1, description="每个手机号一天内的验证码次数上限")
    codes_per_address_hour: int = Field(300, ge=1, description="每个来源地址一小时内的验证码次数上限（同一出口可能有许多用户）")
    codes_per_device_hour: int = Field(10, ge=1, description="每台设备（浏览器会话）一小时内的验证码次数上限")


class Egress(Group):
    """Calls out of the process."""

    allow: tuple[str, ...] = Field(
        (), description="允许访问的外部地址 host:port，须为公网地址；可写 host:port=地址|地址 固定解析结果"
    )
    internal: tuple[str, ...] = Field((), description="允许访问的内部地址 host:port，可为内网地址，可用 http")
    ca_file: str = Field("", description="只信任此 PEM 文件中的根证书；空为系统根证书")
    connect_timeout_s: float = Field(5.0, gt=0, le=30, description="连接超时（秒）")
    timeout_s: float = Field(15.0, gt=0, le=120, description="一次调用从发送到收完应答的时限（秒）")
    max_bytes: int = Field(67_108_864, ge=1_024, description="应答大小上限（字节）")


class Wechat(Group):
    """WeChat Pay, API v3. Keys may be sealed texts made by `regionmart channel seal`."""

    base_url: str = Field("https://api.mch.weixin.qq.com", description="微信支付接口地址")
    app_id: str = Field("", max_length=32, description="公众账号 ID；空为不启用微信支付")
    mch_id: str = Field("", max_length=32, description="商户号")
    serial_no: str = Field("", max_length=64, description="商户 API 证书序列号")
    private_key: SecretStr | None = Field(None, description="商户 API 私钥（PEM，可封存；算法为 sm 时为 SM2）")
    api_v3_key: SecretStr | None = Field(None, description="APIv3 密钥（32 个字符，可封存）")
    algorithm: Literal["rsa", "sm"] = Field("rsa", description="签名与加密算法：rsa 或国密 sm")
    platform_key_id: str = Field("", max_length=80, description="微信支付公钥 ID（PUB_KEY_ID_…）；空为使用平台证书")
    platform_key: str = Field("", description="微信支付公钥（PEM）")


class Alipay(Group):
    """Alipay open platform."""

    gateway: str = Field("https://openapi.alipay.com/gateway.do", description="支付宝网关地址")
    app_id: str = Field("", max_length=32, description="应用 ID；空为不启用支付宝")
    seller_id: str = Field("", max_length=32, description="收款支付宝用户 ID（2088 开头）")
    private_key: SecretStr | None = Field(None, description="应用私钥（PEM，可封存）")
    alipay_key: str = Field("", description="支付宝公钥（PEM）")


class UnionPay(Group):
    """UnionPay full-channel platform."""

    gateway: str = Field("https://gateway.95516.com", description="银联网关地址")
    file_url: str = Field("https://filedownload.95516.com/", description="银联对账文件下载地址")
    app_id: str = Field("", max_length=15, description="商户号；空为不启用银联")
    private_key: SecretStr | None = Field(None, description="商户签名私钥（PEM，可封存）")
    certificate: str = Field("", description="商户签名证书（PEM）")
    issuers: str = Field("", description="签发银联验签证书的中级与根证书（PEM，可多个）")
    signer_name: str = Field("中国银联股份有限公司", description="银联验签证书主体中的名称")


class Citizen(Group):
    """The region's citizen card centre (docs/protocols/citizen-card.md)."""

    base_url: str = Field("", description="市民卡中心接口地址")
    app_id: str = Field("", max_length=32, description="商户号；空为不启用数字市民卡")
    private_key: SecretStr | None = Field(None, description="商户 SM2 私钥（PEM，可封存）")
    centre_key: str = Field("", description="市民卡中心 SM2 公钥（PEM）")


class Bank(Group):
    """The account buyers may transfer to."""

    holder: str = Field("", description="收款户名")
    bank_name: str = Field("", description="开户银行")
    number: str = Field("", description="收款账号；空为不启用银行转账")
    hold_h: int = Field(48, ge=1, le=168, description="选择银行转账后订单保留时间（小时）")


class Payment(Group):
    """Payment channels."""

    simulator_enabled: bool = Field(True, description="启用模拟收银台（生产必须为 false）")
    simulator_secret: SecretStr = Field(SecretStr(DEMO_SIMULATOR_SECRET), description="模拟通道签名密钥")
    public_url: str = Field("", description="支付渠道回调本平台的外部地址，如 https://shop.example.cn；启用真实渠道时必填")
    channel_expiry_s: int = Field(60, ge=0, le=600, description="渠道支付单比订单提前多少秒失效（秒）")
    wallet_max_fen: int = Field(500_000, ge=0, description="每个买家储值本金上限（分）；0 为不开放充值")
    wechat: Wechat = Wechat()
    alipay: Alipay = Alipay()
    unionpay: UnionPay = UnionPay()
    citizen: Citizen = Citizen()
    bank: Bank = Bank()


class CarrierAccount(Group):
    """An account at a carrier's open platform."""

    base_url: str = Field("", description="接口地址")
    app_id: str = Field("", max_length=64, description="顾客编码或应用标识；空为不接入，手工填写运单号")
    secret: SecretStr | None = Field(None, description="校验码或应用密钥（可封存）")


class Carriers(Group):
    """Carriers by API. Their hosts must stand in egress.allow."""

    sf: CarrierAccount = CarrierAccount(base_url="https://bspgw.sf-express.com")
    zto: CarrierAccount = CarrierAccount(base_url="https://japi.zto.com")
    jd: CarrierAccount = CarrierAccount(base_url="https://api.jdl.com")
    local: CarrierAccount = CarrierAccount()


class Aftersales(Group):
    """Windows, timers and fees of after-sale."""

    no_reason_days: int = Field(7, ge=7, le=90, description="签收后多少天内可无理由退货（天，法定不少于 7）")
    quality_days: int = Field(15, ge=7, le=365, description="签收后多少天内可因质量等问题退换、申请赔付（天）")
    repair_days: int = Field(365, ge=15, le=3_650, description="签收后多少天内可申请维修（天）")
    claim_h: int = Field(24, ge=1, le=168, description="签收后多少小时内可申请坏果包赔（小时）")
    reply_h: int = Field(24, ge=1, le=48, description="商家处理申请的时限（小时），到期自动同意")
    evidence_h: int = Field(48, ge=1, le=240, description="买家补充凭证、双方举证的时限（小时）")
    return_days: int = Field(7, ge=1, le=30, description="同意退货后买家寄回的时限（天），到期自动关闭")
    inspect_days: int = Field(7, ge=1, le=30, description="商家收货质检的时限（天），到期视为通过")
    replace_h: int = Field(48, ge=1, le=240, description="换货发出的时限（小时），到期转平台介入")
    repair_work_days: int = Field(15, ge=1, le=60, description="检修寄回的时限（天），到期转平台介入")
    receive_days: int = Field(7, ge=1, le=30, description="换货、维修寄出后自动确认收到（天）")
    escalate_days: int = Field(3, ge=1, le=30, description="商家拒绝后买家可申请平台介入的时限（天），到期关闭")
    decide_h: int = Field(72, ge=1, le=240, description="平台裁决的时限（小时），只用于提醒")
    pickup_fee_fen: int = Field(800, ge=0, le=10_000, description="上门取件费（分），由责任方承担")
    claim_user_limit: int = Field(3, ge=1, le=100, description="一个买家 30 天内自动赔付的次数上限，超过转平台审核")
    claim_shop_limit: int = Field(50, ge=1, le=10_000, description="一家店铺 30 天内自动赔付的次数上限，超过转平台审核")


class Settlement(Group):
    """Ledger, rates, payouts, statements."""

    default_fee_bps: int = Field(500, ge=0, le=10_000, description="没有规则命中时的平台佣金（万分之一；500 即 5%）")
    first_year_free: bool = Field(True, description="新入驻商家首年免佣金（审核通过时自动加一条 0 费率规则）")
    release_after_days: int = Field(7, ge=0, le=180, description="订单完成后多少天结算给商家（天）")
    min_payout_fen: int = Field(1_000, ge=1, description="单笔提现最低金额（分）")
    auto_payout_weekday: int = Field(1, ge=0, le=7, description="自动提现在星期几（1–7，0 为关闭）；只对开启自动提现的商家")
    deposit_required_fen: int = Field(200_000, ge=0, description="商家应缴保证金（分）")
    statement_lag_h: int = Field(6, ge=1, le=72, description="月末后多少小时关账出对账单（小时）")


class Search(Group):
    """Search replica."""

    index_dir: str = Field("", description="索引目录；空为 {home}/search")
    refresh_interval_s: float = Field(1.0, ge=0, description="副本刷新间隔（秒）")


class WorkerGroup(Group):
    """Job worker."""

    poll_interval_s: float = Field(0.5, gt=0, description="任务轮询间隔（秒）")
    lease_s: int = Field(60, ge=5, description="任务租约（秒），到期未完成即被重做")
    max_attempts: int = Field(12, ge=1, description="失败多少次后搁置")
    first_delay_s: float = Field(2.0, gt=0, description="首次失败后的重试间隔（秒），逐次加倍，最长一小时")


class Limits(Group):
    """How often one visitor may ask; 0 switches a limit off."""

    window_s: int = Field(10, ge=1, le=3_600, description="计数窗口（秒）")
    address_requests: int = Field(1_000, ge=0, description="每个来源地址在窗口内的请求数上限；0 为不限，本机地址不计")
    account_requests: int = Field(600, ge=0, description="每个账号在窗口内的请求数上限；0 为不限")
    redis_url: SecretStr | None = Field(
        None, description="共享计数的 Redis 协议服务地址（redis://…）；空为各进程自行计数；服务中断时退回各进程计数"
    )


class Site(Group):
    """Names shown on pages."""

    name: str = Field("澜江好物", description="平台名称")
    region: str = Field("澜州市", description="区域名称")
    phone: str = Field("0000-12345", description="客服电话")


class Audit(Group):
    """Audit log."""

    checkpoint_interval_s: int = Field(60, ge=0, description="无新事件时也签名检查点的间隔（秒）；0 表示只在有新事件时签名")
    batch: int = Field(1_000, ge=1, description="每批封存的条数")


class Metrics(Group):
    """Prometheus."""

    token: SecretStr | None = Field(None, description="/metrics 的访问令牌；空则仅限本机")


class Log(Group):
    """Logging."""

    level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", description="日志级别")
    format: Literal["json", "console"] = Field("json", description="日志格式")


class Settings(Group):
    """Everything configurable."""

    home: Path = Field(Path("var"), description="数据目录")
    environment: Literal["development", "testing", "production"] = Field("production", description="运行环境")
    surfaces: tuple[Surface, ...] = Field(ALL_SURFACES, description="本进程提供的门户")
    server: Server = Server()
    database: Database = Database()
    security: Security = Security()
    trade: Trade = Trade()
    sms: Sms = Sms()
    egress: Egress = Egress()
    payment: Payment = Payment()
    carriers: Carriers = Carriers()
    aftersales: Aftersales = Aftersales()
    settlement: Settlement = Settlement()
    search: Search = Search()
    worker: WorkerGroup = WorkerGroup()
    limits: Limits = Limits()
    site: Site = Site()
    audit: Audit = Audit()
    metrics: Metrics = Metrics()
    log: Log = Log()

    def database_url(self) -> str:
        """Return the configured URL, or the embedded SQLite file of this home."""
        return self.database.url or f"sqlite:///{self.home.absolute() / 'regionmart.db'}"


@dataclass(frozen=True)
class Finding:
    """One result of `check`. level: block | warn | info."""

    level: str
    message: str


def check(settings: Settings) -> list[Finding]:
    """Return what is unsafe or contradictory; `block` findings must be mended before production."""
    findings = []
    production = settings.environment == "production"
    level = "block" if production else "info"
    if settings.payment.simulator_enabled:
        findings.append(Finding(level, "payment.simulator_enabled 为 true：模拟收银台只用于演示"))
    findings += _channel_findings(settings)
    if not settings.security.cookie_secure:
        findings.append(Finding(level, "security.cookie_secure 为 false：登录凭据可能经明文传输"))
    if settings.security.keyring_passphrase is None:
        findings.append(Finding("warn" if production else "info", "security.keyring_passphrase 未设置：密钥文件未封存"))
    if settings.sms.channel == "development":
        findings.append(Finding(level, "sms.channel 为 development：验证码会显示在页面上"))
    if settings.database_url().startswith("sqlite") and settings.server.workers > 1:
        findings.append(Finding("warn", "SQLite 同一时刻只有一个写入者：server.workers 建议为 1"))
    if settings.security.session_idle_s > settings.security.session_absolute_s:
        findings.append(Finding("block", "security.session_idle_s 不能大于 session_absolute_s"))
    return findings


def _channel_findings(settings: Settings) -> list[Finding]:
    """Return what is missing for the channels that are switched on."""
    found = []
    needed = {
        "wechat": ("mch_id", "serial_no", "private_key", "api_v3_key"), "alipay": ("seller_id", "private_key", "alipay_key"),
        "unionpay": ("private_key", "certificate", "issuers"), "citizen": ("base_url", "private_key", "centre_key"),
    }  # fmt: skip
    for name, keys in needed.items():
        group = getattr(settings.payment, name)
        if not group.app_id:
            continue
        missing = [key for key in keys if not getattr(group, key)]
        found += [Finding("block", f"payment.{name}.{key} 未设置：该支付渠道已启用") for key in missing]
        if not settings.payment.public_url:
            found.append(Finding("block", "payment.public_url 未设置：支付渠道无法通知支付结果"))
    return found
