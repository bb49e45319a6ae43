"""From events to lines."""
