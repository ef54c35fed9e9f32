package dev.edgekit.sample.screens

import androidx.compose.foundation.Canvas
import androidx.compose.foundation.layout.size
import androidx.compose.material3.MaterialTheme
import androidx.compose.runtime.Composable
import androidx.compose.ui.Modifier
import androidx.compose.ui.geometry.CornerRadius
import androidx.compose.ui.geometry.Offset
import androidx.compose.ui.geometry.Size
import androidx.compose.ui.graphics.PathEffect
import androidx.compose.ui.unit.LayoutDirection
import androidx.compose.ui.unit.dp
import dev.edgekit.core.Spread

/**
 * Every run as a bar from zero, in the order in which they ran, and the median as a dashed line: shows at a glance
 * whether the phone got slower on the way. The figures stand beside it, so a screen reader passes it over.
 */
@Composable
fun RunChart(spread: Spread) {
    val bar = MaterialTheme.colorScheme.primary
    val line = MaterialTheme.colorScheme.tertiary
    Canvas(Modifier.size(width = 104.dp, height = 48.dp)) {
        if (spread.maximum <= 0) return@Canvas
        val slot = size.width / spread.values.size
        val width = minOf(slot * 0.7f, 20.dp.toPx())
        spread.values.forEachIndexed { index, value ->
            val place = if (layoutDirection == LayoutDirection.Rtl) spread.values.lastIndex - index else index
            val height = (value / spread.maximum).toFloat() * size.height
            drawRoundRect(
                bar,
                topLeft = Offset(slot * place + (slot - width) / 2, size.height - height),
                size = Size(width, height),
                cornerRadius = CornerRadius(3.dp.toPx()),
            )
        }
        val median = size.height * (1 - (spread.median / spread.maximum).toFloat())
        val dashes = PathEffect.dashPathEffect(floatArrayOf(4.dp.toPx(), 3.dp.toPx()))
        drawLine(line, Offset(0f, median), Offset(size.width, median), strokeWidth = 2.dp.toPx(), pathEffect = dashes)
    }
}
