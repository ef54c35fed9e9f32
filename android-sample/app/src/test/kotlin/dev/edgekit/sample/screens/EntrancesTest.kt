package dev.edgekit.sample.screens

import android.Manifest
import android.app.PendingIntent
import android.content.ComponentName
import android.content.Intent
import android.content.pm.ActivityInfo
import android.content.pm.PackageManager
import android.service.quicksettings.TileService
import androidx.test.core.app.ApplicationProvider
import androidx.test.ext.junit.runners.AndroidJUnit4
import dev.edgekit.sample.LastTaskTile
import dev.edgekit.sample.MainActivity
import dev.edgekit.sample.incomingOf
import dev.edgekit.sample.tasks.LastTask
import java.lang.reflect.InvocationHandler
import java.lang.reflect.Proxy
import org.junit.Assert.assertEquals
import org.junit.Assert.assertNotEquals
import org.junit.Assert.assertTrue
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.Robolectric
import org.robolectric.Shadows.shadowOf
import org.robolectric.annotation.Config
import org.robolectric.util.ReflectionHelpers

/** What the system finds of the app, by its manifest. */
@RunWith(AndroidJUnit4::class)
@Config(application = AppUnderTest::class)
class EntrancesTest {
    private val application = ApplicationProvider.getApplicationContext<AppUnderTest>()
    private val packages get() = application.packageManager

    private fun taking(action: String, type: String) = packages.queryIntentActivities(
        Intent(action).setType(type).setPackage(application.packageName),
        PackageManager.MATCH_DEFAULT_ONLY,
    ).map { it.activityInfo.name }

    @Test
    fun `a text that is shared or marked finds the app, a picture does not`() {
        for (action in listOf(Intent.ACTION_SEND, Intent.ACTION_PROCESS_TEXT)) {
            assertEquals(action, listOf(MainActivity::class.java.name), taking(action, "text/plain"))
            assertEquals(action, emptyList<String>(), taking(action, "image/png"))
        }
    }

    @Test
    fun `a text comes to the task that is open, not to a second one`() {
        val activity = packages.getActivityInfo(ComponentName(application, MainActivity::class.java), 0)
        assertEquals(ActivityInfo.LAUNCH_SINGLE_TASK, activity.launchMode)
    }

    @Test
    fun `the tile is the system's to bind, and nobody else's`() {
        val tile = packages.queryIntentServices(Intent(TileService.ACTION_QS_TILE).setPackage(application.packageName), 0).single().serviceInfo
        assertEquals(LastTaskTile::class.java.name, tile.name)
        assertEquals(Manifest.permission.BIND_QUICK_SETTINGS_TILE, tile.permission)
        assertTrue(tile.exported)
        assertNotEquals("a picture of its own", 0, tile.icon)
    }

    /** What a tap on the tile asks of the system, which no test can be. */
    private fun tapped(tile: LastTaskTile): Intent {
        var asked: PendingIntent? = null
        val system = Class.forName("android.service.quicksettings.IQSService")
        val answering = InvocationHandler { _, method, arguments ->
            if (method.name == "startActivity") asked = arguments.filterIsInstance<PendingIntent>().single()
            null
        }
        ReflectionHelpers.setField(tile, "mService", Proxy.newProxyInstance(system.classLoader, arrayOf(system), answering))
        tile.onClick()
        return shadowOf(asked).savedIntent
    }

    @Test
    fun `a tap on the tile opens the task that was open last`() {
        for (id in listOf("topic", "mood")) {
            application.sources.choices.lastTask = LastTask(id, "Task $id")
            val tile = Robolectric.buildService(LastTaskTile::class.java).create().get()
            tile.onStartListening()
            assertEquals("Task $id", tile.qsTile.label)
            val started = tapped(tile)
            assertEquals(MainActivity::class.java.name, started.component?.className)
            assertEquals(id, incomingOf(started)?.task)
        }
    }
}
