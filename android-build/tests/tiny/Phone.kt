package tiny

import android.content.Context
import com.example.models.phoneactions.PhoneActions
import kotlinx.coroutines.flow.toList
import kotlinx.coroutines.runBlocking

private typealias Told = Map<String, Any?>

private val DONE: Told = mapOf("status" to "done")

/** What an app does with a model that calls. */
class App {
    private val called = mutableListOf<String>()

    private val tools = object : PhoneActions.Tools {
        override suspend fun turnOnFlashlight() = DONE.also { called += "light" }

        override suspend fun turnOffFlashlight() = throw IllegalStateException("no light")

        override suspend fun openWifiSettings() = DONE

        override suspend fun createContact(firstName: String, lastName: String, phoneNumber: String?) = DONE

        override suspend fun sendEmail(to: String, subject: String, body: String?) = DONE

        override suspend fun showMap(query: String) = DONE

        override suspend fun createCalendarEvent(title: String, day: String, time: String) = DONE

        override suspend fun setTimer(minutes: Long): Told = DONE.also { called += "$minutes minutes" }

        override suspend fun setVolume(level: Long) = DONE
    }

    fun run(context: Context): String = runBlocking {
        PhoneActions.open(context).use { model ->
            val raw = model.stream("turn on the light!").toList().last()
            check("turn_on_flashlight" in raw && called.isEmpty()) { raw }

            val light = model.ask("turn on the light!", tools).getOrThrow()
            check(called == listOf("light")) { "$called" }
            // It was told what came of the call, and answers in words.
            check(light.isNotBlank() && "turn_on_flashlight" !in light) { light }

            model.ask("set a timer for 5 minutes", tools).getOrThrow()
            check(called.last() == "5 minutes") { "$called" }

            val thrown = model.ask("turn off the flashlight", tools).exceptionOrNull()
            check(thrown?.message == "no light") { "$thrown" }
            "called: $light"
        }
    }
}
