package dev.edgekit.testing

import dev.edgekit.core.InternalEdgekitApi
import dev.edgekit.core.bundle.Calling
import dev.edgekit.core.bundle.parseManifest
import java.io.File
import org.json.JSONObject

/** Seven tools, and one that no app carries out, as a manifest holds them. */
@InternalEdgekitApi
public const val CALLING: String = """{"dialect": "json", "choice": "auto", "tools": [
    {"name": "turn_on_flashlight", "description": "Turns it on.", "parameters": {"type": "object", "properties": {}, "required": []}},
    {"name": "open_wifi_settings", "description": "", "parameters": {"type": "object", "properties": {}, "required": []}},
    {"name": "create_contact", "description": "", "parameters": {"type": "object", "properties": {
        "first_name": {"type": "string"}, "last_name": {"type": "string"}, "phone_number": {"type": "string"}, "email": {"type": "string"}
    }, "required": ["first_name", "last_name"]}},
    {"name": "send_email", "description": "", "parameters": {"type": "object", "properties": {
        "to": {"type": "string"}, "subject": {"type": "string"}, "body": {"type": "string"}
    }, "required": ["to", "subject"]}},
    {"name": "show_map", "description": "", "parameters": {"type": "object", "properties": {"query": {"type": "string"}}, "required": ["query"]}},
    {"name": "create_calendar_event", "description": "", "parameters": {"type": "object", "properties": {
        "title": {"type": "string"}, "datetime": {"type": "string", "description": "When, in the format YYYY-MM-DDTHH:MM:SS."}
    }, "required": ["title", "datetime"]}},
    {"name": "set_timer", "description": "", "parameters": {"type": "object", "properties": {
        "minutes": {"type": "integer"}, "label": {"type": "string", "nullable": true}
    }, "required": ["minutes"]}},
    {"name": "set_volume", "description": "", "parameters": {"type": "object", "properties": {
        "percent": {"type": "integer"}, "stream": {"type": "string", "enum": ["media", "alarm"]}, "mute_after": {"type": "boolean"}
    }, "required": ["percent"]}},
    {"name": "order_pizza", "description": "", "parameters": {"type": "object", "properties": {
        "toppings": {"type": "array", "items": {"type": "string"}}, "size": {"type": "number"}
    }, "required": []}}
], "role": "system", "system": "", "declarations": "", "format": null}"""

/** The demo's manifest with a change. */
@InternalEdgekitApi
public fun demoManifest(change: JSONObject.() -> Unit): String = JSONObject(File(Demo.assets, "edgekit.json").readText()).apply(change).toString()

@InternalEdgekitApi
public fun sampleCalling(json: String = CALLING): Calling = parseManifest(demoManifest { put("calling", JSONObject(json)) }).calling!!
