"""Permissions of the audit log."""

PERMISSIONS = {"audit.view": "查看审计日志", "audit.verify": "校验审计日志完整性"}
