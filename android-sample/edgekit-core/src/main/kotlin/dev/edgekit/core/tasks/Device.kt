package dev.edgekit.core.tasks

import android.app.ActivityManager
import android.content.Context
import android.content.Intent
import android.content.IntentFilter
import android.os.BatteryManager
import android.os.Build
import android.os.PowerManager
import androidx.annotation.RequiresApi
import dev.edgekit.core.InternalEdgekitApi
import java.io.File
import java.io.IOException

/** The phone, as far as it tells an app. */
@InternalEdgekitApi
public data class DeviceInfo(
    val model: String,
    val soc: String?,
    val os: String,
    val abi: String?,
    val cores: Int,
    val clusters: List<Cluster>,
    val ramBytes: Long?,
    val governor: String?,
)

/** Cores of one kind, by their numbers. */
@InternalEdgekitApi
public data class Cluster(val cpus: List<Int>, val maxMhz: Double?)

/** @property temperature of the battery, degrees Celsius */
@InternalEdgekitApi
public data class Conditions(
    val batteryPercent: Double? = null,
    val charging: Boolean? = null,
    val temperature: Double? = null,
    val thermalStatus: String? = null,
)

@InternalEdgekitApi
public interface Device {
    public fun describe(): DeviceInfo

    public fun conditions(): Conditions

    /** The most memory that the process has held since [resetPeakMemory] did so, bytes; null when the system does not tell. */
    public fun peakMemory(): Long?

    /** Forgets the peak before; false where the system does not let an app, and it is the one since the process began. */
    public fun resetPeakMemory(): Boolean
}

internal class AndroidDevice(private val context: Context) : Device {
    override fun describe(): DeviceInfo = DeviceInfo(
        model = Build.MODEL,
        soc = if (Build.VERSION.SDK_INT >= Build.VERSION_CODES.S) socModel() else null,
        os = "Android ${Build.VERSION.RELEASE} (API ${Build.VERSION.SDK_INT})",
        abi = Build.SUPPORTED_ABIS.firstOrNull(),
        cores = Runtime.getRuntime().availableProcessors(),
        clusters = clusters(),
        ramBytes = ramBytes(),
        governor = CPUS.resolve("cpu0/cpufreq/scaling_governor").textOrNull(),
    )

    override fun conditions(): Conditions {
        val battery = context.registerReceiver(null, IntentFilter(Intent.ACTION_BATTERY_CHANGED))
        val level = battery?.getIntExtra(BatteryManager.EXTRA_LEVEL, -1) ?: -1
        val scale = battery?.getIntExtra(BatteryManager.EXTRA_SCALE, -1) ?: -1
        return Conditions(
            batteryPercent = if (level >= 0 && scale > 0) 100.0 * level / scale else null,
            charging = battery?.getIntExtra(BatteryManager.EXTRA_PLUGGED, 0)?.let { it != 0 },
            temperature = battery?.getIntExtra(BatteryManager.EXTRA_TEMPERATURE, Int.MIN_VALUE)
                ?.takeIf { it != Int.MIN_VALUE }?.let { it / 10.0 },
            thermalStatus = if (Build.VERSION.SDK_INT >= Build.VERSION_CODES.Q) thermalStatus() else null,
        )
    }

    override fun peakMemory(): Long? = File("/proc/self/status").textOrNull()?.lines()
        ?.firstOrNull { it.startsWith("VmHWM:") }
        ?.filter(Char::isDigit)?.toLongOrNull()?.times(BYTES_PER_KIB)

    override fun resetPeakMemory(): Boolean = try {
        File("/proc/self/clear_refs").writeText(RESET_PEAK)
        true
    } catch (_: IOException) {
        false
    }

    @RequiresApi(Build.VERSION_CODES.S)
    private fun socModel(): String? = Build.SOC_MODEL.takeIf { it != Build.UNKNOWN }

    @RequiresApi(Build.VERSION_CODES.Q)
    private fun thermalStatus() =
        context.getSystemService(PowerManager::class.java)?.let { THERMAL_WORDS.getOrNull(it.currentThermalStatus) }

    private fun ramBytes(): Long? {
        val memory = ActivityManager.MemoryInfo()
        context.getSystemService(ActivityManager::class.java)?.getMemoryInfo(memory)
        return memory.totalMem.takeIf { it > 0 }
    }

    private fun clusters(): List<Cluster> = (0 until Runtime.getRuntime().availableProcessors())
        .groupBy { CPUS.resolve("cpu$it/cpufreq/cpuinfo_max_freq").textOrNull()?.toDoubleOrNull() }
        .filterKeys { it != null }
        .map { (khz, cpus) -> Cluster(cpus, khz?.div(KHZ_PER_MHZ)) }
        .sortedBy { it.maxMhz }

    private companion object {
        val CPUS = File("/sys/devices/system/cpu")
        val THERMAL_WORDS = listOf("none", "light", "moderate", "severe", "critical", "emergency", "shutdown")
        const val BYTES_PER_KIB = 1024L

        /** proc(5): sets the peak to what is held now. */
        const val RESET_PEAK = "5"
        const val KHZ_PER_MHZ = 1000.0

        /** Vendors close some of these files to apps. */
        fun File.textOrNull() = try {
            readText().trim()
        } catch (_: IOException) {
            null
        }
    }
}
