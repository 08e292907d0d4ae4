"""What the platforms take, each limit once: the checker, the renderer and the tests share them.

Lengths are in characters unless the name says otherwise.
"""

from datetime import timedelta

# Twilio API errors 21617 (Body) and 21658 (a content variable)
TWILIO_BODY = 1_600
TWILIO_VARIABLE = 1_600
# Meta Cloud API, text message: as pywa's client.py has it
META_TEXT = 4_096
# Meta Cloud API, image, video and document messages
META_CAPTION = 1_024
# Twilio API error 63021: a template once its variables are filled in
TEMPLATE_BODY = 1_024

# Ours, for what comes in: sixteen times what Meta lets a contact write
INBOUND_TEXT = 65_536

# Twilio Content, quick-reply
BUTTONS_BODY = 1_024
BUTTONS = 3
BUTTONS_IN_TEMPLATE = 10
# Meta's SDK, ButtonObject
BUTTON_TITLE = 20
BUTTON_ID = 256

# Twilio Content, list-picker; Meta, interactive lists
LIST_ROWS = 10
LIST_SECTIONS = 10
LIST_BODY = 1_024
LIST_BUTTON = 20
ROW_TITLE = 24
ROW_DESCRIPTION = 72
ROW_ID = 200
SECTION_TITLE = 24
# Meta, interactive messages; Twilio's cards have the same
HEADER = 60
FOOTER = 60

# A tap's payload must fit a row's id, the shorter of the two
PAYLOAD = min(BUTTON_ID, ROW_ID)

# Twilio's media guidance, in bytes
TWILIO_MEDIA_BYTES = 16 * 1024 * 1024
TWILIO_IMAGE_BYTES = 5 * 1024 * 1024
# Twilio, Media subresource: files of one message
TWILIO_FILES = 10
# Meta, supported media types, in bytes
META_IMAGE_BYTES = 5 * 1024 * 1024
META_AUDIO_BYTES = 16 * 1024 * 1024
META_VIDEO_BYTES = 16 * 1024 * 1024
META_DOCUMENT_BYTES = 100 * 1024 * 1024

# Twilio error 63016: free-form messages only so long after the contact's last message
SERVICE_WINDOW = timedelta(hours=24)
# Twilio template approval
TEMPLATE_NAME = 512

# Twilio's WhatsApp FAQ; Meta, throughput (130429): messages a second of one sender
SENDER_PER_SECOND = 80
# Twilio's queue drops a message after this
TWILIO_QUEUE = timedelta(hours=4)
# Meta 131056, from a secondary source: messages to one recipient
RECIPIENT_EVERY = timedelta(seconds=6)
# Meta's tiers and Twilio 63018: unique recipients in 24 h that the business may start with; then unlimited
RECIPIENT_TIERS = (250, 2_000, 10_000, 100_000)

# Twilio, webhook connection overrides: all of the answer's time
TWILIO_WEBHOOK = timedelta(seconds=15)
# Meta redelivers a webhook that was not answered for so long
META_REDELIVERY = timedelta(days=7)
# Meta, webhooks of the Cloud API: what one request may have; several messages may come in it
META_WEBHOOK_BYTES = 3 * 1024 * 1024
