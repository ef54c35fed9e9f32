package dev.edgekit.sample.screens

import androidx.compose.runtime.Composable
import androidx.compose.ui.res.stringResource
import dev.edgekit.compose.CallDeed
import dev.edgekit.compose.CallPlan
import dev.edgekit.core.calls.Call
import dev.edgekit.sample.R
import dev.edgekit.sample.calls.CARRIED_OUT
import dev.edgekit.sample.calls.Deed
import dev.edgekit.sample.calls.deedOf

/** What this app does for calls. */
object AppPlan : CallPlan {
    override fun canDo(tool: String) = tool in CARRIED_OUT

    @Composable
    override fun deedFor(call: Call): CallDeed? = deedOf(call)?.let { CallDeed(title(it), opensApp = it is Deed.HandedOver) }
}

/** What the call comes to, in the user's language. */
@Composable
private fun title(deed: Deed): String = when (deed) {
    is Deed.Torch -> stringResource(if (deed.on) R.string.deed_torch_on else R.string.deed_torch_off)
    is Deed.Volume -> stringResource(R.string.deed_volume, number(deed.percent))
    Deed.WifiSettings -> stringResource(R.string.deed_wifi)
    is Deed.Contact -> stringResource(R.string.deed_contact, deed.name.ifEmpty { deed.phone ?: deed.email.orEmpty() })
    is Deed.Email -> stringResource(R.string.deed_email, deed.to ?: deed.subject.orEmpty())
    is Deed.ShowOnMap -> stringResource(R.string.deed_map, deed.query)
    is Deed.Event -> stringResource(R.string.deed_event, deed.title)
    is Deed.Timer -> stringResource(R.string.deed_timer, span(deed.length))
}
