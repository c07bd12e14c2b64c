// The gRPC side of a Functions host: one stream to one worker, from its first message to its last.

using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net.Sockets;
using System.Text.Json;
using System.Threading.Channels;
using FetchApiKeyFunction.Tests.Hosts.Rpc;
using Grpc.Core;

namespace FetchApiKeyFunction.Tests.Hosts;

/// <summary>What a worker has said about itself, and what is said to it.</summary>
/// <param name="folder">Of the published function app.</param>
/// <param name="log">Takes every message that the worker logs, whole.</param>
internal sealed class WorkerChannel(string folder, ConcurrentQueue<string> log)
{
    private readonly Channel<StreamingMessage> _toWorker = Channel.CreateUnbounded<StreamingMessage>();
    private readonly ConcurrentDictionary<string, TaskCompletionSource> _invocations = new();
    private readonly TaskCompletionSource<Uri> _ready = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private volatile bool _isGone;
    private Uri? _http;
    private string _function = "";
    private string _trigger = "";

    /// <summary>Where the worker listens, when its function is loaded and it does.</summary>
    public Task<Uri> Ready => _ready.Task;

    public void Terminate() => Send(new StreamingMessage { WorkerTerminate = new WorkerTerminate() });

    /// <summary>Ends when the function has.</summary>
    /// <param name="traceParent">What the client sent, if anything.</param>
    public Task InvokeAsync(string invocation, string traceParent)
    {
        var ended = _invocations[invocation] = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        if (_isGone)
        {
            throw new IOException("The worker ended.");
        }

        Send(new StreamingMessage
        {
            InvocationRequest = new InvocationRequest
            {
                InvocationId = invocation,
                FunctionId = _function,
                TraceContext = new RpcTraceContext { TraceParent = TraceOf(traceParent) },
                InputData = { new ParameterBinding { Name = _trigger, Data = new TypedData { Http = new RpcHttp() } } },
            },
        });
        return ended.Task;
    }

    public async Task ServeAsync(
        IAsyncStreamReader<StreamingMessage> fromWorker, IServerStreamWriter<StreamingMessage> toWorker, CancellationToken cancellation)
    {
        var writing = WriteAsync(toWorker, cancellation);
        try
        {
            while (await fromWorker.MoveNext(cancellation))
            {
                Receive(fromWorker.Current);
            }
        }
        catch (IOException)
        {
            // The worker was killed.
        }

        _toWorker.Writer.TryComplete();
        await writing;
    }

    /// <summary>The worker has ended: what was in flight has no answer.</summary>
    public void Forget(string printed)
    {
        _isGone = true;
        var gone = new IOException($"The worker ended: {printed}");
        _ready.TrySetException(gone);
        foreach (var (_, invocation) in _invocations)
        {
            invocation.TrySetException(gone);
        }
    }

    /// <summary>The client's trace, or a new one: the host always names one.</summary>
    private static string TraceOf(string traceParent) => ActivityContext.TryParse(traceParent, null, out _)
        ? traceParent
        : $"00-{ActivityTraceId.CreateRandom()}-{ActivitySpanId.CreateRandom()}-00";

    private void Send(StreamingMessage message) => _toWorker.Writer.TryWrite(message);

    private async Task WriteAsync(IServerStreamWriter<StreamingMessage> toWorker, CancellationToken cancellation)
    {
        await foreach (var message in _toWorker.Reader.ReadAllAsync(cancellation))
        {
            await toWorker.WriteAsync(message, cancellation);
        }
    }

    private void Receive(StreamingMessage message)
    {
        switch (message.ContentCase)
        {
            case StreamingMessage.ContentOneofCase.StartStream:
                Send(new StreamingMessage
                {
                    WorkerInitRequest = new WorkerInitRequest
                    {
                        HostVersion = "4.1037.0", WorkerDirectory = folder, FunctionAppDirectory = folder,
                    },
                });
                break;
            case StreamingMessage.ContentOneofCase.WorkerInitResponse:
                Require(message.WorkerInitResponse.Result);
                _http = new Uri(message.WorkerInitResponse.Capabilities["HttpUri"]);
                Send(new StreamingMessage { FunctionsMetadataRequest = new FunctionsMetadataRequest { FunctionAppDirectory = folder } });
                break;
            case StreamingMessage.ContentOneofCase.FunctionMetadataResponse:
                Require(message.FunctionMetadataResponse.Result);
                Load(message.FunctionMetadataResponse.FunctionMetadataResults.Single());
                break;
            case StreamingMessage.ContentOneofCase.FunctionLoadResponse:
                Require(message.FunctionLoadResponse.Result);
                _ = WaitForListenerAsync();
                break;
            case StreamingMessage.ContentOneofCase.InvocationResponse:
                if (_invocations.TryRemove(message.InvocationResponse.InvocationId, out var invocation))
                {
                    invocation.TrySetResult();
                }

                break;
            case StreamingMessage.ContentOneofCase.RpcLog:
                log.Enqueue(message.RpcLog.ToString());
                break;
        }
    }

    private void Load(RpcFunctionMetadata function)
    {
        using var binding = JsonDocument.Parse(function.RawBindings.Single(raw => raw.Contains("httpTrigger", StringComparison.Ordinal)));
        (_function, _trigger) = (function.FunctionId, binding.RootElement.GetProperty("name").GetString()!);
        Send(new StreamingMessage
        {
            FunctionLoadRequest = new FunctionLoadRequest { FunctionId = function.FunctionId, Metadata = function },
        });
    }

    /// <summary>The worker says that it is loaded before it listens; the real host tries each request again for a while.</summary>
    private async Task WaitForListenerAsync()
    {
        while (!_isGone)
        {
            try
            {
                using var connection = new TcpClient();
                await connection.ConnectAsync(_http!.Host, _http.Port);
                _ready.TrySetResult(_http);
                return;
            }
            catch (SocketException)
            {
                await Task.Delay(5);
            }
        }
    }

    private void Require(StatusResult result)
    {
        if (result.Status != StatusResult.Types.Status.Success)
        {
            _ready.TrySetException(new InvalidOperationException(result.ToString()));
        }
    }
}
