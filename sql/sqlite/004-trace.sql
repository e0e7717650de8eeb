-- SPDX-FileCopyrightText: 2026 The Postern authors
-- SPDX-License-Identifier: BSD-2-Clause
--
-- Schema 4: the indexes of `postern trace`. What became of the mail stands in a file of its own, see deliveries.sql.

CREATE INDEX messages_sender ON messages (sender, time);
CREATE INDEX messages_header_from ON messages (header_from, time) WHERE header_from <> sender;
CREATE INDEX recipients_address ON recipients (address, message_id);
CREATE INDEX refusals_sender ON refusals (sender, last_time);
CREATE INDEX refusals_recipient ON refusals (recipient, last_time);
CREATE INDEX refusals_queue_id ON refusals (queue_id) WHERE queue_id <> '';
