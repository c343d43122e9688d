"""The Gradio page. Handlers unpack, call the host, and return updates; nothing is decided here.

page.py          the whole page and how it is served    head.py              what stands around it before it is drawn
battle_tab.py    prompt, two replies, vote, reveal      battle_html.py       what a battle looks like
leaderboard_tab.py   the board of the votes so far      theme.py, style.css  colours, letters and places
page.js          names, roles and focus                 connection.js        a page that outlives its connection
"""
