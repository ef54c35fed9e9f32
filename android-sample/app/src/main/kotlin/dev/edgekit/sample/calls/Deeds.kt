package dev.edgekit.sample.calls

import dev.edgekit.core.calls.Call
import dev.edgekit.core.calls.momentOf
import java.time.DateTimeException
import java.time.DayOfWeek
import java.time.Duration
import java.time.LocalDate
import java.time.LocalDateTime
import java.time.LocalTime
import java.time.temporal.TemporalAdjusters
import kotlin.math.roundToInt

/** What the app can do for a call. */
sealed interface Deed {
    data class Torch(val on: Boolean) : Deed

    /** Of music and videos. */
    data class Volume(val percent: Int) : Deed

    /** Another app goes on with it, and its user has the last word there. */
    sealed interface HandedOver : Deed

    data object WifiSettings : HandedOver

    data class Contact(val name: String, val phone: String?, val email: String?) : HandedOver

    data class Email(val to: String?, val subject: String?, val body: String?) : HandedOver

    data class ShowOnMap(val query: String) : HandedOver

    /** @property begin null lets the calendar propose one */
    data class Event(val title: String, val begin: LocalDateTime?, val length: Duration?, val place: String?) : HandedOver

    data class Timer(val length: Duration, val label: String?) : HandedOver
}

/** What the app does for a call, by the tool's name; null when it can do nothing for it. */
fun deedOf(call: Call): Deed? = DEEDS[call.name]?.invoke(call)

/** The names of the tools that the app can do something for. */
val CARRIED_OUT: Set<String> get() = DEEDS.keys

private val DEEDS: Map<String, (Call) -> Deed?> = mapOf(
    "turn_on_flashlight" to { Deed.Torch(true) },
    "turn_off_flashlight" to { Deed.Torch(false) },
    "set_flashlight" to { it.flag("on", "enabled", "state")?.let(Deed::Torch) },
    "open_wifi_settings" to { Deed.WifiSettings },
    "create_contact" to ::contact,
    "send_email" to { Deed.Email(it.text("to", "recipient", "email"), it.text("subject"), it.text("body", "text", "message")) },
    "show_map" to ::map,
    "show_location_on_map" to ::map,
    "create_calendar_event" to ::event,
    "set_timer" to ::timer,
    "set_volume" to ::volume,
)

private fun contact(call: Call): Deed? {
    val whole = call.text("name") ?: listOfNotNull(call.text("first_name"), call.text("last_name")).joinToString(" ")
    val phone = call.text("phone_number", "phone")
    val email = call.text("email")
    return Deed.Contact(whole, phone, email).takeIf { whole.isNotEmpty() || phone != null || email != null }
}

private fun map(call: Call): Deed? = call.text("query", "location", "place", "address")?.let(Deed::ShowOnMap)

private fun event(call: Call): Deed? {
    val title = call.text("title", "summary", "name") ?: return null
    val named = call.text("datetime", "start", "begin", "at", "date")
    val begin = if (named != null) momentOf(named) else call.text("day")?.let { momentOn(it, call.text("time"), LocalDate.now()) }
    if (begin == null && (named != null || call.text("day") != null)) return null
    return Deed.Event(title, begin, call.length(), call.text("location", "place"))
}

/** Today, tomorrow, or the next day of the week with that name; at an hour such as 07:00, else at noon. Null for other words. */
internal fun momentOn(day: String, time: String?, today: LocalDate): LocalDateTime? {
    val date = when (val word = day.trim().lowercase()) {
        "today" -> today
        "tomorrow" -> today.plusDays(1)
        else -> DayOfWeek.entries.find { it.name.lowercase() == word }?.let { today.with(TemporalAdjusters.next(it)) }
    }
    return try {
        date?.atTime(time?.let(LocalTime::parse) ?: LocalTime.NOON)
    } catch (_: DateTimeException) {
        null
    }
}

private fun timer(call: Call): Deed? {
    val length = call.length()?.takeIf { it in SHORTEST_TIMER..LONGEST_TIMER } ?: return null
    return Deed.Timer(length, call.text("label", "name", "title"))
}

private val SHORTEST_TIMER = Duration.ofSeconds(1)
private val LONGEST_TIMER = Duration.ofDays(1)

private fun volume(call: Call): Deed? = call.number("percent", "level", "volume")
    ?.takeIf { it in 0.0..100.0 }
    ?.let { Deed.Volume(it.roundToInt()) }

private fun Call.text(vararg names: String): String? =
    names.firstNotNullOfOrNull { name -> arguments[name]?.toString()?.trim()?.takeIf(String::isNotEmpty) }

private fun Call.number(vararg names: String): Double? =
    names.firstNotNullOfOrNull { (arguments[it] as? Number)?.toDouble() ?: (arguments[it] as? String)?.toDoubleOrNull() }

private fun Call.flag(vararg names: String): Boolean? = names.firstNotNullOfOrNull {
    when (arguments[it]?.toString()?.lowercase()) {
        "true", "on" -> true
        "false", "off" -> false
        else -> null
    }
}

/** Hours, minutes and seconds together; null when none is named. */
private fun Call.length(): Duration? {
    val parts = listOf(3600 to arrayOf("hours", "duration_hours"), 60 to arrayOf("minutes", "duration_minutes"), 1 to arrayOf("seconds", "duration_seconds"))
        .mapNotNull { (unit, names) -> number(*names)?.times(unit) }
    return parts.takeIf { it.isNotEmpty() }?.let { Duration.ofSeconds(it.sum().toLong()) }
}
