"""Scan formats of others, read and written: EPCIS 2.0, IPS exports, EMSEVT."""
