package dev.edgekit.core.tasks

import androidx.test.core.app.ApplicationProvider
import dev.edgekit.core.Backend
import dev.edgekit.core.BenchmarkPlan
import dev.edgekit.core.BenchmarkStep
import dev.edgekit.core.EngineFailure
import dev.edgekit.core.Spread
import dev.edgekit.core.engine.EngineLoader
import dev.edgekit.testing.FakeEngine
import dev.edgekit.testing.only
import dev.edgekit.testing.sampleBundle
import dev.edgekit.testing.severalTasks
import dev.edgekit.testing.task
import java.io.File
import kotlinx.coroutines.flow.filterIsInstance
import kotlinx.coroutines.flow.take
import kotlinx.coroutines.flow.toList
import kotlinx.coroutines.runBlocking
import org.json.JSONObject
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Rule
import org.junit.Test
import org.junit.rules.TemporaryFolder
import org.junit.runner.RunWith
import org.robolectric.RobolectricTestRunner

@RunWith(RobolectricTestRunner::class)
class BenchmarkTest {
    @get:Rule
    val folder = TemporaryFolder()

    private val engines = mutableListOf<FakeEngine>()
    private val cache by lazy { File(folder.root, "cache") }
    private val bundle by lazy { sampleBundle(model = folder.newFile("sample.litertlm")) }
    private val plan = BenchmarkPlan(prefill = 64, decode = 32, runs = 3)

    private fun benchmark(failure: EngineFailure? = null, device: Device = PlainDevice()) =
        Benchmark({ FakeEngine(failure = failure).also { engines += it } }, cache, device)

    private fun result() = runBlocking {
        benchmark().run(bundle, bundle.only, Backend.CPU, plan).filterIsInstance<BenchmarkUpdate.Finished>().toList().single().result
    }

    @Test
    fun `starts cold and warm, warms up, and runs as often as was asked`() = runBlocking {
        val steps = benchmark().run(bundle, bundle.only, Backend.CPU, plan).filterIsInstance<BenchmarkUpdate.Progress>().toList()
        assertEquals(
            listOf(BenchmarkStep.COLD_START, BenchmarkStep.WARM_START, BenchmarkStep.WARM_UP) + List(3) { BenchmarkStep.RUN },
            steps.map { it.step },
        )
        assertTrue(result().switchTime == null && engines.all { it.opened.isEmpty() })
        assertEquals((0..5).toList(), steps.map { it.done })
        assertTrue(steps.all { it.of == 6 })
    }

    @Test
    fun `a task with an adapter is measured with it, and the switch to it`() = runBlocking {
        val several = severalTasks("mood").copy(model = bundle.model)
        val mood = several.task("mood")!!
        val updates = benchmark().run(several, mood, Backend.CPU, plan).toList()
        val steps = updates.filterIsInstance<BenchmarkUpdate.Progress>()
        assertEquals(BenchmarkStep.SWITCH, steps.last().step)
        assertTrue(steps.all { it.of == 7 } && steps.last().done == 6)
        val result = (updates.last() as BenchmarkUpdate.Finished).result
        assertEquals(3, result.switchTime!!.values.size)
        assertEquals(List(4) { "mood.lora.tflite" }, engines.last().measured.map { it?.name })
        assertEquals(List(3) { listOf(null, "mood.lora.tflite") }.flatten(), engines.last().opened.map { it.adapter?.name })
        assertEquals(1, engines.last().mostOpen)
        val notes = JSONObject(result.toJson("dev.edgekit.app")).getJSONArray("notes")
        assertTrue(notes.getString(0), "mood" in notes.getString(0) && "ab".repeat(32) in notes.getString(0))
    }

    @Test
    fun `leaves the warm-up out of the figures`() {
        val result = result()
        assertEquals(4, result.runs.size)
        assertEquals(3, result.decodeSpeed.values.size)
    }

    @Test
    fun `the cold start finds no cache of an earlier benchmark`() = runBlocking<Unit> {
        File(cache.apply { mkdirs() }, "weights").writeText("old")
        val seen = mutableListOf<Int>()
        val loader = EngineLoader { settings ->
            seen += settings.cacheDir!!.list()!!.size
            File(settings.cacheDir, "weights").writeText("packed")
            FakeEngine()
        }
        Benchmark(loader, cache, PlainDevice()).run(bundle, bundle.only, Backend.CPU, plan).toList()
        assertEquals(listOf(0, 1), seen)
        assertFalse(cache.exists())
    }

    @Test
    fun `closes its engines, also when one fails`() {
        assertThrows(EngineFailure.OutOfMemory::class.java) {
            runBlocking { benchmark(EngineFailure.OutOfMemory("no memory")).run(bundle, bundle.only, Backend.CPU, plan).toList() }
        }
        assertEquals(2, engines.size)
        assertTrue(engines.all { it.isClosed })
    }

    @Test
    fun `can be left in the middle`() = runBlocking {
        benchmark().run(bundle, bundle.only, Backend.CPU, plan).take(4).toList()
        assertTrue(engines.all { it.isClosed })
    }

    @Test
    fun `the median of an even number of runs lies between the middle two`() {
        assertEquals(2.5, Spread(listOf(4.0, 1.0, 3.0, 2.0)).median, 0.0)
        assertEquals(3.0, Spread(listOf(9.0, 1.0, 3.0)).median, 0.0)
    }

    @Test
    fun `CSV has a line for each run, with points whatever the language`() {
        val lines = result().toCsv().trim().lines()
        assertEquals(5, lines.size)
        assertEquals("sample.litertlm,cpu,1,true,64,32,0.100000,1000.000000,100.000000,1048576", lines[1].split(",").take(10).joinToString(","))
    }

    @Test
    fun `JSON says what is not known as null`() {
        val json = JSONObject(result().toJson("dev.edgekit.app"))
        assertEquals(1, json.getInt("schema_version"))
        assertEquals("android", json.getJSONObject("device").getString("kind"))
        assertTrue(json.getJSONObject("device").isNull("soc"))
        assertTrue(json.getJSONArray("cases").getJSONObject(0).getJSONArray("runs").getJSONObject(0).getBoolean("warmup"))
    }

    @Test
    fun `the peak memory is this benchmark's, or is said not to be`() {
        for (canReset in listOf(true, false)) {
            val updates = runBlocking { benchmark(device = PlainDevice(5L shl 30, canReset)).run(bundle, bundle.only, Backend.CPU, plan).toList() }
            val result = (updates.last() as BenchmarkUpdate.Finished).result
            assertEquals(if (canReset) 1L shl 20 else 5L shl 30, result.peakMemory)
            val notes = JSONObject(result.toJson("dev.edgekit.app")).getJSONArray("notes").toString()
            assertEquals(!canReset, "since it began" in notes)
        }
    }

    @Test
    fun `on Linux the peak falls back to what is held`() {
        val device = AndroidDevice(ApplicationProvider.getApplicationContext())
        holdForAMoment(1L shl 28)
        fun held() = File("/proc/self/status").readLines().first { it.startsWith("VmRSS:") }.filter(Char::isDigit).toLong() * 1024
        assertTrue(device.peakMemory()!! - held() > 1 shl 27)
        assertTrue(device.resetPeakMemory())
        assertTrue(device.peakMemory()!! - held() < 1 shl 27)
    }

    /** Memory that is not the collector's: it goes back to the system at once. */
    private fun holdForAMoment(bytes: Long) {
        val type = Class.forName("sun.misc.Unsafe")
        val memory = type.getDeclaredField("theUnsafe").apply { isAccessible = true }.get(null)
        val place = type.getMethod("allocateMemory", Long::class.java).invoke(memory, bytes)
        type.getMethod("setMemory", Long::class.java, Long::class.java, Byte::class.java).invoke(memory, place, bytes, 1.toByte())
        type.getMethod("freeMemory", Long::class.java).invoke(memory, place)
    }

    /** @param peak what the process held at most before */
    private class PlainDevice(private var peak: Long = 1L shl 20, private val canReset: Boolean = true) : Device {
        override fun describe() = DeviceInfo("Phone", null, "Android 15 (API 35)", "arm64-v8a", 8, emptyList(), null, null)

        override fun conditions() = Conditions()

        override fun peakMemory() = peak

        override fun resetPeakMemory(): Boolean {
            if (canReset) peak = 1L shl 20
            return canReset
        }
    }
}
