package dev.graft.serve.http;

import dev.graft.serve.EngineObserver;
import dev.graft.serve.InferenceEngine;
import dev.graft.serve.ServedModel;
import dev.graft.serve.adapters.Adapters;
import dev.graft.serve.adapters.CacheStats;
import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.FunctionCounter;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.Timer;
import io.micrometer.prometheusmetrics.PrometheusConfig;
import io.micrometer.prometheusmetrics.PrometheusMeterRegistry;
import java.io.IOException;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import java.util.function.ToDoubleFunction;
import org.jspecify.annotations.Nullable;

/** The metrics of a server for {@code GET /metrics}, in Prometheus' text format. */
public final class Metrics implements EngineObserver {
    private final PrometheusMeterRegistry registry = new PrometheusMeterRegistry(PrometheusConfig.DEFAULT);
    private final Timer queue = timer("graft.queue.duration", "From being asked to being begun");
    private final Timer first = timer("graft.first.token.duration", "From being asked to the first token");
    private final Timer step = timer("graft.step.duration", "A pass that writes a token for each of several texts");
    private final Counter read =
            counter("graft.tokens.read", "Tokens of prompts and of whole texts that passes have read");
    private final Counter written = counter("graft.tokens.written", "Tokens that were written");

    private Timer timer(String name, String description) {
        return Timer.builder(name)
                .description(description)
                .serviceLevelObjectives(
                        Duration.ofMillis(5),
                        Duration.ofMillis(20),
                        Duration.ofMillis(50),
                        Duration.ofMillis(100),
                        Duration.ofMillis(250),
                        Duration.ofSeconds(1),
                        Duration.ofSeconds(5),
                        Duration.ofSeconds(30))
                .register(registry);
    }

    private Counter counter(String name, String description) {
        return Counter.builder(name).description(description).register(registry);
    }

    /** Tells what they hold too. */
    void addGauges(InferenceEngine inferenceEngine, Adapters adapters) {
        gauge("graft.requests.waiting", "Texts that wait", inferenceEngine::waiting);
        gauge("graft.requests.running", "Texts that are read or written", inferenceEngine::running);
        gauge(
                "graft.adapters.loaded",
                "Adapters in memory",
                () -> adapters.loaded().size());
        gauge(
                "graft.adapters.bytes",
                "What the parameters of adapters in memory take",
                () -> adapters.cacheStats().bytes());
        count("graft.adapters.hits", "Requests whose adapter was in memory", adapters, CacheStats::hits);
        count("graft.adapters.loads", "Adapters that were loaded", adapters, CacheStats::loads);
        count("graft.adapters.evictions", "Adapters that left memory for others", adapters, CacheStats::evictions);
    }

    /** Micrometer holds what it counts by a weak reference, so that must be something that stays. */
    private void count(String name, String description, Adapters adapters, ToDoubleFunction<CacheStats> value) {
        FunctionCounter.builder(name, adapters, all -> value.applyAsDouble(all.cacheStats()))
                .description(description)
                .register(registry);
    }

    private void gauge(String name, String description, Supplier<Number> value) {
        Gauge.builder(name, value).description(description).register(registry);
    }

    /** Counts a request. */
    void recordRequest(String route, int status, long nanos) {
        Timer.builder("graft.request.duration")
                .description("Requests by what answered them")
                .tag("route", route)
                .tag("status", Integer.toString(status))
                .register(registry)
                .record(nanos, TimeUnit.NANOSECONDS);
    }

    /** Counts a request by the model name that it has and the adapter that answers. */
    void recordRequest(@Nullable String model, String adapter, int status, long nanos) {
        Timer.builder("graft.adapter.duration")
                .description("Requests by adapter")
                .tag("model", String.valueOf(model))
                .tag("adapter", adapter)
                .tag("status", Integer.toString(status))
                .register(registry)
                .record(nanos, TimeUnit.NANOSECONDS);
    }

    @Override
    public void onStart(ServedModel model, long waitedNanos) {
        queue.record(waitedNanos, TimeUnit.NANOSECONDS);
    }

    @Override
    public void onInputTokens(ServedModel model, int tokens) {
        read.increment(tokens);
    }

    @Override
    public void onFirstToken(ServedModel model, long nanos) {
        first.record(nanos, TimeUnit.NANOSECONDS);
        written.increment();
    }

    @Override
    public void onDecodeStep(int texts, long nanos) {
        step.record(nanos, TimeUnit.NANOSECONDS);
        written.increment(texts);
    }

    void handle(Exchange exchange) throws IOException {
        exchange.send(200, "text/plain; version=0.0.4; charset=utf-8", registry.scrape());
    }
}
