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
        throw new RankineException("--kernels " + name + ": no such kernels; there are " + String.join(", ", names()));
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
