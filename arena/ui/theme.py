"""The page's colours and fonts, as values of Gradio's own variables, light and dark.

Every text has a contrast of 4.5 to 1 or more (WCAG 2.2, success criterion 1.4.3), even on disabled buttons, since they
show what comes next. tests/arena/ui/test_accessibility.py measures it.
"""

import gradio as gr

FONTS = [
    "ui-sans-serif",
    "system-ui",
    "sans-serif",
]  # the visitor's system fonts: nothing to load, every weight available
MONO = ["ui-monospace", "SFMono-Regular", "Consolas", "monospace"]


def make_theme() -> gr.themes.Base:
    """Return Gradio's default theme in slate and indigo."""
    theme = gr.themes.Default(
        primary_hue=gr.themes.colors.indigo,
        neutral_hue=gr.themes.colors.slate,
        radius_size=gr.themes.sizes.radius_lg,
        text_size=gr.themes.sizes.text_lg,
        font=FONTS,
        font_mono=MONO,
    )
    return theme.set(
        body_background_fill="*neutral_50",
        body_background_fill_dark="#0b1120",
        background_fill_primary="white",
        background_fill_primary_dark="#151e31",
        background_fill_secondary="*neutral_100",
        background_fill_secondary_dark="#1e293f",
        block_background_fill="white",
        block_background_fill_dark="#151e31",
        border_color_primary="*neutral_300",
        border_color_primary_dark="#33415c",
        body_text_color="*neutral_800",
        body_text_color_dark="*neutral_100",
        body_text_color_subdued="*neutral_600",
        body_text_color_subdued_dark="#b6c2d4",
        color_accent="*primary_600",
        link_text_color="*primary_700",
        link_text_color_dark="*primary_300",
        link_text_color_hover="*primary_800",
        link_text_color_hover_dark="*primary_200",
        link_text_color_visited="*primary_700",
        link_text_color_visited_dark="*primary_300",
        input_background_fill="white",
        input_background_fill_dark="#151e31",
        input_placeholder_color="*neutral_500",
        input_placeholder_color_dark="#a3b1c6",
        button_primary_background_fill="*primary_600",
        button_primary_background_fill_dark="*primary_600",
        button_primary_background_fill_hover="*primary_700",
        button_primary_background_fill_hover_dark="*primary_700",
        button_primary_text_color="white",
        button_primary_text_color_dark="white",
        button_secondary_background_fill="white",
        button_secondary_background_fill_dark="#1e293f",
        button_secondary_background_fill_hover="*neutral_100",
        button_secondary_background_fill_hover_dark="#2a3852",
        button_secondary_text_color="*neutral_800",
        button_secondary_text_color_dark="*neutral_100",
        button_secondary_border_color="*neutral_300",
        button_secondary_border_color_dark="#3d4d6b",
        button_border_width="1px",
        button_primary_border_color="*primary_600",
        button_primary_border_color_dark="*primary_600",
        button_transition="none",  # half-way between two colours the contrast is too low
    )
