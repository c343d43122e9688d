"""The Gradio page. Handlers unpack, call the host, and return updates; nothing is decided here.

page.py          the whole page and how it is served    battle_tab.py        prompt, two replies, vote, reveal
style.css        its look                               leaderboard_tab.py   the board of the votes so far
"""
