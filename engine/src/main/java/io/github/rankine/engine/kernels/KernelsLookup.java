package io.github.rankine.engine.kernels;

import io.github.rankine.engine.RankineException;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.ServiceLoader;
import java.util.stream.Collectors;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Chooses the kernels of a run and logs what was chosen and why. */
public final class KernelsLookup {
    private static final Logger LOG = LoggerFactory.getLogger(KernelsLookup.class);

    private KernelsLookup() {}

    /** The best kernels that work here. */
    public static Kernels best(int threads) {
        for (KernelsProvider provider : providers()) {
            Optional<String> reason = provider.unavailable();
            if (reason.isEmpty()) {
                LOG.info("kernels: {}, {} threads", provider.name(), threads);
                return provider.create(threads);
            }
            LOG.info("kernels: not {}: {}", provider.name(), reason.get());
        }
        throw new RankineException("no kernels can run here: " + reasons());
    }

    /**
     * The kernels of that name.
     *
     * @throws RankineException when there is no such provider, or it cannot work here
     */
    public static Kernels named(String name, int threads) {
        for (KernelsProvider provider : providers()) {
            if (provider.name().equals(name)) {
                provider.unavailable().ifPresent(reason -> {
                    throw new RankineException("--kernels " + name + ": " + reason);
                });
                LOG.info("kernels: {} as asked for, {} threads", name, threads);
                return provider.create(threads);
            }
        }
        missing(name).ifPresent(remedy -> {
            throw new RankineException("--kernels " + name + ": " + remedy);
        });
        throw new RankineException("--kernels " + name + ": no such kernels; there are " + String.join(", ", names()));
    }

    /** What a user must install for kernels that this build was made without; empty for a name that none have. */
    public static Optional<String> missing(String name) {
        return name.equals("tornado") && !names().contains(name)
                ? Optional.of(
                        "install TornadoVM 5.2.0 for JDK 25 and set TORNADOVM_HOME to its SDK; ./rankine then builds"
                                + " them (docs/gpu.md)")
                : Optional.empty();
    }

    /** The devices of all providers that work here, a line each. */
    public static List<String> devices() {
        return providers().stream()
                .filter(provider -> provider.unavailable().isEmpty())
                .flatMap(provider -> provider.devices().stream())
                .toList();
    }

    /** The names that {@link #named} knows. */
    public static List<String> names() {
        return providers().stream().map(KernelsProvider::name).toList();
    }

    private static List<KernelsProvider> providers() {
        return ServiceLoader.load(KernelsProvider.class).stream()
                .map(ServiceLoader.Provider::get)
                .sorted(Comparator.comparingInt(KernelsProvider::priority).reversed())
                .toList();
    }

    private static String reasons() {
        return providers().stream()
                .map(p -> p.name() + ": " + p.unavailable().orElse("available"))
                .collect(Collectors.joining("; "));
    }
}
