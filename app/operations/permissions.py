"""Permissions of operations."""

PERMISSIONS = {"dashboard.operator": "查看工作台", "job.view": "查看后台任务", "job.retry": "重试搁置的任务"}
