"""What compose.yaml needs from this side of the containers: its `.env`, and files below build/compose.

Run it with `python -m compose prepare|announce`.
"""
