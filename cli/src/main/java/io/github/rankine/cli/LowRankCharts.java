package io.github.rankine.cli;

import io.github.rankine.reference.lowrank.Spectrum;
import java.awt.Color;
import java.awt.Font;
import java.math.BigDecimal;
import java.math.MathContext;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import java.util.function.ToDoubleFunction;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.knowm.xchart.HeatMapChart;
import org.knowm.xchart.HeatMapChartBuilder;
import org.knowm.xchart.XYChart;
import org.knowm.xchart.XYChartBuilder;
import org.knowm.xchart.style.AxesChartStyler;
import org.knowm.xchart.style.Styler.LegendPosition;
import org.knowm.xchart.style.markers.SeriesMarkers;

/** The pictures of a low-rank report, with letters large enough to be read when they are shrunk to a phone's width. */
final class LowRankCharts {
    private static final int WIDTH = 1000;
    private static final int HEIGHT = 640;
    private static final Font SMALL = new Font(Font.SANS_SERIF, Font.PLAIN, 20);
    private static final Font LARGE = new Font(Font.SANS_SERIF, Font.BOLD, 24);
    /** Okabe and Ito's, that colour-blind people can tell apart, without yellow. */
    private static final Color[] LINES = {
        new Color(0x000000), new Color(0x0072b2), new Color(0xd55e00), new Color(0x009e73),
        new Color(0xcc79a7), new Color(0xe69f00), new Color(0x56b4e9), new Color(0x7f7f7f)
    };

    private static final int MOST_LEGEND_ENTRIES = 12;
    private static final Color[] COLD_TO_WARM = {
        new Color(0xf4f6f8), new Color(0x9ecae1), new Color(0x2171b5), new Color(0x08306b)
    };
    private static final Pattern LAYER = Pattern.compile("^(?:.*?\\.)?(?<layer>\\d+)\\.(?<kind>.+)$");

    private LowRankCharts() {}

    /** A module's place: its layer, and what it is in each layer. */
    record Place(int layer, String kind) {
        static Place of(String module) {
            Matcher matcher = LAYER.matcher(module);
            return matcher.matches()
                    ? new Place(Integer.parseInt(matcher.group("layer")), matcher.group("kind"))
                    : new Place(0, module);
        }
    }

    /** Modules by what they are in each layer, in the model's order. */
    static <T> Map<String, List<T>> byKind(List<T> modules, Function<T, String> name) {
        return modules.stream()
                .collect(Collectors.groupingBy(
                        module -> Place.of(name.apply(module)).kind(), LinkedHashMap::new, Collectors.toList()));
    }

    /** Energy kept over the rank: of all modules together, and of each kind. */
    static XYChart energy(UpdateReport report) {
        XYChart chart = lines("Energy kept at each rank", "rank", "share of the energy");
        chart.getStyler().setYAxisMin(0.0).setYAxisMax(1.0).setLegendPosition(LegendPosition.InsideSE);
        add(chart, "all modules", report.energiesInAll());
        byKind(report.modules(), ModuleUpdate::name).forEach((kind, modules) -> {
            UpdateReport part = new UpdateReport(kind, modules, report.energy());
            add(chart, kind, part.energiesInAll());
        });
        return chart;
    }

    private static void add(XYChart chart, String name, double[] energies) {
        double[] ranks =
                IntStream.rangeClosed(1, energies.length).asDoubleStream().toArray();
        chart.addSeries(name, ranks, energies)
                .setMarker(energies.length > 16 ? SeriesMarkers.NONE : SeriesMarkers.CIRCLE);
    }

    /** The singular values of one kind of module, a line for each layer, relative to the largest. */
    static XYChart spectra(String kind, List<ModuleUpdate> modules) {
        XYChart chart = lines("Singular values of " + kind, "number", "relative to the largest");
        chart.getStyler().setYAxisLogarithmic(true).setLegendVisible(modules.size() <= MOST_LEGEND_ENTRIES);
        for (ModuleUpdate module : modules) {
            Spectrum spectrum = module.spectrum();
            int rank = spectrum.rank();
            if (rank > 0) {
                double[] numbers =
                        IntStream.rangeClosed(1, rank).asDoubleStream().toArray();
                double[] values = IntStream.range(0, rank)
                        .mapToDouble(i -> spectrum.values()[i] / spectrum.values()[0])
                        .toArray();
                chart.addSeries("layer " + Place.of(module.name()).layer(), numbers, values)
                        .setMarker(rank > 16 ? SeriesMarkers.NONE : SeriesMarkers.CIRCLE);
            }
        }
        return chart;
    }

    private static XYChart lines(String title, String x, String y) {
        XYChart chart = new XYChartBuilder()
                .width(WIDTH)
                .height(HEIGHT)
                .title(title)
                .xAxisTitle(x)
                .yAxisTitle(y)
                .build();
        chart.getStyler().setSeriesColors(LINES);
        legible(chart.getStyler());
        return chart;
    }

    private static void legible(AxesChartStyler styler) {
        styler.setAxisTickLabelsFont(SMALL)
                .setAxisTitleFont(SMALL)
                .setXAxisMaxLabelCount(10)
                .setChartTitleFont(LARGE)
                .setLegendFont(SMALL)
                .setChartBackgroundColor(Color.WHITE);
    }

    /** A figure of each module: layers to the right, kinds upwards. */
    static HeatMapChart byLayer(String title, List<ModuleUpdate> modules, ToDoubleFunction<ModuleUpdate> figure) {
        List<Integer> layers = modules.stream()
                .map(module -> Place.of(module.name()).layer())
                .distinct()
                .sorted()
                .toList();
        List<String> kinds = new ArrayList<>(byKind(modules, ModuleUpdate::name).keySet());
        List<Number[]> cells = new ArrayList<>();
        for (ModuleUpdate module : modules) {
            Place place = Place.of(module.name());
            cells.add(new Number[] {
                layers.indexOf(place.layer()), kinds.indexOf(place.kind()), rounded(figure.applyAsDouble(module))
            });
        }
        HeatMapChart chart = heatMap(title, "layer", "");
        chart.addSeries(title, layers, kinds, cells);
        return chart;
    }

    /** The legend shows its ends as they are. */
    private static double rounded(double value) {
        return new BigDecimal(value).round(new MathContext(3)).doubleValue();
    }

    /** φ(i, j): i to the right, j upwards. */
    static HeatMapChart similarity(String title, double[][] phi) {
        List<Integer> is = IntStream.rangeClosed(1, phi.length).boxed().toList();
        List<Integer> js = IntStream.rangeClosed(1, phi[0].length).boxed().toList();
        List<Number[]> cells = new ArrayList<>();
        for (int i = 0; i < phi.length; i++) {
            for (int j = 0; j < phi[i].length; j++) {
                cells.add(new Number[] {i, j, phi[i][j]});
            }
        }
        HeatMapChart chart = heatMap(title, "i, of the first", "j, of the second");
        chart.getStyler().setMin(0).setMax(1);
        chart.addSeries(title, is, js, cells);
        return chart;
    }

    private static HeatMapChart heatMap(String title, String x, String y) {
        HeatMapChart chart = new HeatMapChartBuilder()
                .width(WIDTH)
                .height(HEIGHT)
                .title(title)
                .xAxisTitle(x)
                .yAxisTitle(y)
                .build();
        chart.getStyler()
                .setRangeColors(COLD_TO_WARM)
                .setHeatMapDecimalValueFormatter(value -> UpdateReport.decimal(value));
        legible(chart.getStyler());
        return chart;
    }
}
