"""Tests of arena/ui. page.py: test_battle_tab.py and ../server; theme.py: test_accessibility.py (contrast)."""
