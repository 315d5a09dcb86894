"""Permissions of risk."""

PERMISSIONS = {"risk.view": "查看风控决策与规则", "risk.edit": "修改风控规则"}
