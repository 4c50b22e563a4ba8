package io.github.rankine.cli;

import io.github.rankine.models.files.AtomicFile;
import java.nio.file.Path;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.function.Supplier;
import org.knowm.xchart.internal.chartpart.Chart;

/** One page that holds all its pictures, for a screen of any width and for paper. */
final class LowRankReport {
    /** The page's name in its folder. */
    static final String FILE = "index.html";

    private static final String STYLE = """
        :root { color-scheme: light; }
        body { font: 16px/1.5 system-ui, sans-serif; color: #1a1a1a; background: #fff; max-width: 60rem;
               margin: 0 auto; padding: 1rem; }
        h1 { font-size: 1.4rem; overflow-wrap: anywhere; } h2 { font-size: 1.1rem; margin-top: 2rem; }
        figure { margin: 1rem 0; } img { width: 100%; height: auto; border: 1px solid #ddd; }
        figcaption { color: #555; font-size: .9rem; }
        .table { overflow-x: auto; } pre { font-size: .8rem; line-height: 1.35; margin: 0; }
        @media print { body { max-width: none; padding: 0; } figure { break-inside: avoid; }
               .table { overflow: visible; } pre { font-size: 5.5pt; white-space: pre; } }
        """;

    private final StringBuilder html = new StringBuilder();
    private final Terminal terminal;

    private LowRankReport(String title, Terminal terminal) {
        this.terminal = terminal;
        html.append("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n")
                .append("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>")
                .append(escape(title))
                .append("</title>\n<style>\n")
                .append(STYLE)
                .append("</style>\n</head>\n<body>\n<h1>")
                .append(escape(title))
                .append("</h1>\n");
    }

    static void write(Path folder, UpdateReport figures, Terminal terminal) {
        LowRankReport page = new LowRankReport(figures.title(), terminal);
        page.paragraphs(figures.advice());
        page.figure(
                () -> LowRankCharts.energy(figures),
                "energy",
                "The share of the update's energy that is kept when every module's update is cut to a rank.");
        page.figure(
                () -> LowRankCharts.byLayer(
                        "Rank for " + UpdateReport.percent(figures.energy()) + " of the energy",
                        figures.modules(),
                        module -> module.spectrum()
                                .rankFor(figures.energy())
                                .orElse(module.spectrum().values().length)),
                "ranks",
                "The rank that each module needs for " + UpdateReport.percent(figures.energy())
                        + " of its energy, or as many singular values as were taken.");
        page.figure(
                () -> LowRankCharts.byLayer(
                        "Size of the update",
                        figures.modules(),
                        module -> Math.sqrt(module.spectrum().squaredNorm())),
                "sizes",
                "The Frobenius norm of each module's update: where the model changed most.");
        if (figures.modules().stream()
                .allMatch(module -> Double.isFinite(module.amplification().orElse(Double.NaN)))) {
            page.figure(
                    () -> LowRankCharts.byLayer(
                            "Amplification",
                            figures.modules(),
                            module -> module.amplification().orElse(0)),
                    "amplification",
                    "How much larger the update is than the base weight in the update's own directions.");
        }
        page.heading("Spectra");
        for (Map.Entry<String, List<ModuleUpdate>> kind :
                LowRankCharts.byKind(figures.modules(), ModuleUpdate::name).entrySet()) {
            page.figure(
                    () -> LowRankCharts.spectra(kind.getKey(), kind.getValue()),
                    kind.getKey(),
                    "Singular values of the update of " + kind.getKey()
                            + ", a line for each layer, relative to the largest.");
        }
        page.heading("Modules");
        page.table(figures.text());
        page.finish(folder);
    }

    static void write(Path folder, SimilarityReport figures, Terminal terminal) {
        LowRankReport page = new LowRankReport(figures.title(), terminal);
        page.paragraphs(
                "φ(i, j) tells how much of the subspace of the one adapter's first i right singular vectors lies in"
                    + " that of the other's first j, or the other way round: 1 all of it, 0 nothing (Hu et al. 2021,"
                    + " equation 4).");
        page.figure(
                () -> LowRankCharts.similarity("φ(i, j), mean over the modules", figures.mean()),
                "similarity",
                "Mean over " + figures.modules().size() + " modules.");
        for (Map.Entry<String, List<ModuleSimilarity>> kind :
                LowRankCharts.byKind(figures.modules(), ModuleSimilarity::name).entrySet()) {
            double[][] mean = new SimilarityReport(figures.first(), figures.second(), kind.getValue(), 0).mean();
            page.figure(
                    () -> LowRankCharts.similarity("φ(i, j) of " + kind.getKey(), mean),
                    kind.getKey(),
                    kind.getKey() + ", mean over " + kind.getValue().size() + " layers.");
        }
        page.heading("Modules");
        page.table(figures.text());
        page.finish(folder);
    }

    private void heading(String text) {
        html.append("<h2>").append(escape(text)).append("</h2>\n");
    }

    private void paragraphs(String text) {
        text.lines().forEach(line -> html.append("<p>").append(escape(line)).append("</p>\n"));
    }

    private void figure(Supplier<? extends Chart<?, ?>> chart, String what, String caption) {
        Picture.png(chart, what, terminal)
                .ifPresent(png -> html.append("<figure><img alt=\"")
                        .append(escape(caption))
                        .append("\" src=\"data:image/png;base64,")
                        .append(Base64.getEncoder().encodeToString(png))
                        .append("\"><figcaption>")
                        .append(escape(caption))
                        .append("</figcaption></figure>\n"));
    }

    private void table(String text) {
        html.append("<div class=\"table\"><pre>").append(escape(text)).append("</pre></div>\n");
    }

    private void finish(Path folder) {
        AtomicFile.createFolder(folder);
        AtomicFile.writeText(
                folder.resolve(FILE), html.append("</body>\n</html>\n").toString());
        terminal.err().println(folder.resolve(FILE) + ": the figures with pictures");
    }

    private static String escape(String text) {
        return text.replace("&", "&amp;")
                .replace("<", "&lt;")
                .replace(">", "&gt;")
                .replace("\"", "&quot;");
    }
}
