"""Permissions of identity."""

PERMISSIONS = {
    "account.own": "管理自己的账号与地址", "account.view": "查看账号", "account.manage": "新建、停用账号与重置口令",
    "role.view": "查看角色与权限", "session.view": "查看并终止登录会话",
}  # fmt: skip
