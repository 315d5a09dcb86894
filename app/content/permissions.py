"""Permissions of content."""

PERMISSIONS = {"content.edit": "维护首页与公告"}
