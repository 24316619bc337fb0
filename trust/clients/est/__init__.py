"""Enrolment over secure transport (RFC 7030, clarified by RFC 8951): wire formats, authentication, views."""
