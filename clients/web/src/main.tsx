import { render } from 'preact';
import { App } from './ui/app';
import './style/base.css';
import './style/list.css';
import './style/chat.css';
import './style/forms.css';

const root = document.getElementById('app');
if (root) render(<App />, root);
