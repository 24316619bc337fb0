"""Clients as the server knows them: enrolment, registration, status."""
