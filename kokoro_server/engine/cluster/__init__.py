"""Run an engine whose workers are on other machines, reached through Celery.

On a front server the scheduler works as with local workers. From a request down to the broker:

- `engine`: the front server's Engine, which admits requests and bounds the utterances in flight;
- `remote`: an utterance on its way to a machine and back, and the worker that waits for it;
- `transport`: pending tasks, which are sent again when they are lost, by heartbeats and results;
- `machine_registry`: the machines that reply to heartbeats;
- `broker`: the calls to Celery, and whether the broker is reachable.

On a worker machine `task_server` runs a Pool of its own and a Celery worker that gives it the tasks. Both sides share
`messages`, what travels, and `celery_app`, how Celery is set up. Machines of another build (version or model) have
another queue, and are reported as incompatible.
"""
