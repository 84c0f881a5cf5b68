"""Objectives, alerts and dashboards as code, and the files that the charts install, made from them."""
