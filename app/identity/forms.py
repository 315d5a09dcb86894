"""Forms of identity."""

from __future__ import annotations

from wtforms import BooleanField, Field, PasswordField, SelectField, StringField, ValidationError

from app.identity.roles import BUILT_IN_ROLES
from app.web.forms import CleanForm, Required


class PasswordForm(CleanForm):
    """Sign-in of the consoles."""

    login_name = StringField("登录名", [Required()])
    password = PasswordField("口令", [Required()])


class PhoneForm(CleanForm):
    """First step of a consumer's sign-in."""

    phone = StringField("手机号", [Required()])


class CodeForm(CleanForm):
    """Second step: the code, and the agreement at the first use."""

    phone = StringField("手机号", [Required()])
    code = StringField("验证码", [Required()])
    agreed = BooleanField("我已阅读并同意用户协议和隐私政策（首次登录必选）")


class AddressForm(CleanForm):
    """A delivery address."""

    receiver = StringField("收货人", [Required()])
    phone = StringField("手机号", [Required()])
    area_code = SelectField("所在县区", validate_choice=False)
    street = StringField("详细地址", [Required()])
    is_default = BooleanField("设为默认地址")


def _console_roles() -> list[tuple[str, str]]:
    """Return (realm/role, words) of the roles an administrator gives; merchants and consumers get theirs elsewhere."""
    realms = {"operator": "运营管理台", "government": "监管驾驶舱", "security": "安全与审计"}
    return [(f"{r.realm}/{r.code}", f"{realms[r.realm]} · {r.name}") for r in BUILT_IN_ROLES if r.realm in realms]


class CountersignedForm(CleanForm):
    """What a security administrator signs on the spot when it concerns one of the three administrators."""

    approver_login = StringField("安全管理员登录名")
    approver_password = PasswordField("安全管理员口令")


class AccountForm(CountersignedForm):
    """A new administrator, operator or regulator."""

    role = SelectField("门户与角色", choices=_console_roles())
    login_name = StringField("登录名", [Required()])
    display_name = StringField("姓名", [Required()])
    password = PasswordField("初始口令", [Required()])


class ResetForm(CountersignedForm):
    """A temporary password for somebody else's account."""

    password = PasswordField("临时口令", [Required()])


class PasswordChangeForm(CleanForm):
    """Changing one's own password."""

    current = PasswordField("当前口令", [Required()])
    password = PasswordField("新口令", [Required()])
    repeated = PasswordField("再输一次新口令", [Required()])

    def validate_repeated(self, field: Field) -> None:
        """Refuse two different new passwords."""
        if field.data != self.password.data:
            raise ValidationError("两次输入的新口令不一致")
