package dev.edgekit.sample

import android.annotation.SuppressLint
import android.app.PendingIntent
import android.content.Intent
import android.os.Build
import android.service.quicksettings.Tile
import android.service.quicksettings.TileService
import androidx.annotation.RequiresApi
import dev.edgekit.sample.screens.HasSources

/** In the quick settings: opens the task that was open last. */
class LastTaskTile : TileService() {
    private val lastTask get() = (application as HasSources).sources.choices.lastTask

    override fun onStartListening() {
        val tile = qsTile ?: return
        tile.label = lastTask?.title ?: getString(R.string.app_name)
        tile.state = Tile.STATE_INACTIVE
        tile.updateTile()
    }

    override fun onClick() {
        val intent = openTask(this, lastTask?.id)
        if (Build.VERSION.SDK_INT >= Build.VERSION_CODES.UPSIDE_DOWN_CAKE) collapseAndStart(intent) else collapseAndStartBefore14(intent)
    }

    @RequiresApi(Build.VERSION_CODES.UPSIDE_DOWN_CAKE)
    private fun collapseAndStart(intent: Intent) = startActivityAndCollapse(
        PendingIntent.getActivity(this, 0, intent, PendingIntent.FLAG_IMMUTABLE or PendingIntent.FLAG_UPDATE_CURRENT),
    )

    @SuppressLint("StartActivityAndCollapseDeprecated")
    @Suppress("DEPRECATION")
    private fun collapseAndStartBefore14(intent: Intent) = startActivityAndCollapse(intent)
}
