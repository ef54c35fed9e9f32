package dev.edgekit.testing

import android.content.Context
import androidx.test.core.app.ApplicationProvider
import dev.edgekit.core.BundleSource
import dev.edgekit.core.Edgekit
import dev.edgekit.core.Model
import dev.edgekit.core.OpenOptions
import dev.edgekit.core.engine.LiteRtLm
import java.io.File
import kotlinx.coroutines.runBlocking
import org.junit.rules.ExternalResource

/**
 * Opens a bundle for each test of a class, with the real engine, on a computer under Robolectric:
 *
 *     @get:Rule val rule = ModelRule()
 *
 *     @Test fun answers() = runBlocking { assertEquals("…", rule.model.session().answer("my screen is too dark")) }
 *
 * The system properties `edgekit.engine` and `edgekit.shim` name the engine's library for this computer and edgekit's own;
 * `python android-build properties` in edgekit's repository prints them.
 *
 * @param bundle copies the bundle into a directory; the demo's by default
 * @param options with which it is opened
 */
public class ModelRule(
    private val options: OpenOptions = OpenOptions(),
    private val bundle: (File) -> Unit = DemoBundle::copyTo,
) : ExternalResource() {
    private var opened: Model? = null

    /** The open model, within a test. */
    public val model: Model get() = checkNotNull(opened) { "no test is running" }

    override fun before() {
        useEngineOfThisComputer()
        val context = ApplicationProvider.getApplicationContext<Context>()
        val folder = File(context.cacheDir, "edgekit-bundle").apply { deleteRecursively() }
        bundle(folder)
        opened = runBlocking { Edgekit.open(context, BundleSource.Folder(folder), options) }
    }

    override fun after() {
        opened?.close()
        opened = null
        Edgekit.loader = LiteRtLm()
    }

    public companion object {
        /** From now on [Edgekit] opens models with the engine that the system properties name. */
        public fun useEngineOfThisComputer() {
            Edgekit.loader = Demo.loader
        }
    }
}
