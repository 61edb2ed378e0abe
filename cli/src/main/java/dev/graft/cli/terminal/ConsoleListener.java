package dev.graft.cli.terminal;

import dev.graft.run.progress.RunListener;
import java.io.PrintWriter;

/** Shows the notices and downloads of a run on standard error, and stops the run on Ctrl-C or SIGTERM. */
public class ConsoleListener implements RunListener {
    private final PrintWriter err;

    public ConsoleListener(PrintWriter err) {
        this.err = err;
    }

    @Override
    public void onNotice(String line) {
        err.println(line);
        err.flush();
    }

    @Override
    public Fetch onFetch() {
        return new DownloadProgressLine(err, Terminal.isLive());
    }

    @Override
    public Work onWork(String notice) {
        return Interruption.awaited(() -> onNotice(notice))::close;
    }

    @Override
    public boolean isStopRequested() {
        return Interruption.requested();
    }
}
