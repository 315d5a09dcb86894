"""Permissions of supervision."""

PERMISSIONS = {"board.view": "查看监管驾驶舱"}
