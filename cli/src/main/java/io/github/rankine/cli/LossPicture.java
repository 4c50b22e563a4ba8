package io.github.rankine.cli;

import io.github.rankine.models.files.AtomicFile;
import io.github.rankine.models.run.MetricsEntry;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.List;
import org.knowm.xchart.XYChart;
import org.knowm.xchart.XYChartBuilder;
import org.knowm.xchart.style.Styler.LegendPosition;
import org.knowm.xchart.style.markers.SeriesMarkers;

/** Draws a run's loss over its steps. */
final class LossPicture {
    private LossPicture() {}

    /** Writes a PNG; a system that cannot draw, as one without fonts, costs the picture alone, and a note. */
    static void write(Path file, List<MetricsEntry> entries, Terminal terminal) {
        Picture.png(() -> chart(entries), "the loss (" + file + ")", terminal)
                .ifPresent(png -> AtomicFile.write(file, out -> AtomicFile.writeFully(out, ByteBuffer.wrap(png))));
    }

    private static XYChart chart(List<MetricsEntry> entries) {
        XYChart chart = new XYChartBuilder()
                .width(900)
                .height(500)
                .title("Loss")
                .xAxisTitle("step")
                .yAxisTitle("mean negative log-likelihood per token (nats)")
                .build();
        chart.getStyler().setLegendPosition(LegendPosition.InsideNE);
        chart.addSeries(
                        "training",
                        entries.stream().mapToDouble(MetricsEntry::step).toArray(),
                        entries.stream().mapToDouble(MetricsEntry::loss).toArray())
                .setMarker(SeriesMarkers.NONE);
        List<MetricsEntry> evaluated =
                entries.stream().filter(entry -> entry.evalLoss().isPresent()).toList();
        if (!evaluated.isEmpty()) {
            chart.addSeries(
                    "evaluation",
                    evaluated.stream().mapToDouble(MetricsEntry::step).toArray(),
                    evaluated.stream()
                            .mapToDouble(entry -> entry.evalLoss().getAsDouble())
                            .toArray());
        }
        return chart;
    }
}
